/**
 * A cache of blobs for readers that take them slice by slice. A reader holds no blob between two slices: it asks for its blob again, which
 * is still in the cache while the reader is quick. The blob of a slow reader is evicted, and loaded again when the reader goes on. So the
 * memory of all readers together is bounded, and readers of the same log share their blobs. While the cache is full a reader waits for the
 * blobs of others to become idle, and evicts none in use: else each reader would load its blob again for every slice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { free } from '../../framing.ts';
import type { FluxClient } from '../answer.ts';
import { loadBlob } from './kvs-values.ts';

export interface BlobCache {
  /**
   * Loads through `client`, unless the blob is cached, and resolves to the result of `use`. The bytes are valid until `use` returns.
   * Throws a FluxError.
   */
  readonly read: <Result>(
    client: FluxClient,
    reference: string,
    use: (bytes: Uint8Array) => Result,
    signal?: AbortSignal,
  ) => Promise<Result>;
  /** A reader has reached the end of a blob. */
  readonly done: (reference: string) => void;
}

export interface BlobCacheLimits {
  /** At this size nothing is loaded: the cache holds one blob more at most. */
  readonly bytes: number;
  /** A blob without a read for so long may be evicted. */
  readonly idleMs: number;
  readonly timeoutMs: number;
}

const usualLimits: BlobCacheLimits = { bytes: 2 * 1024 * 1024, idleMs: 100, timeoutMs: 30_000 };

export function createBlobCache({ bytes, idleMs, timeoutMs }: BlobCacheLimits = usualLimits): BlobCache {
  /** The most recently used is the last. */
  const blobs = new Map<string, { readonly blob: Uint8Array; idleFrom: number }>();
  let held = 0;
  /** One load at a time, for the memory of the broker. */
  let turns: Promise<unknown> = Promise.resolve();

  const find = (reference: string): Uint8Array | undefined => {
    const entry = blobs.get(reference);
    if (!entry) return undefined;
    entry.idleFrom = performance.now() + idleMs;
    blobs.delete(reference);
    blobs.set(reference, entry);
    return entry.blob;
  };
  /** Evicts idle blobs until there is room; returns the milliseconds until there may be some. */
  const makeRoom = (): number => {
    const now = performance.now();
    for (const [reference, { blob, idleFrom }] of blobs) {
      if (held < bytes) return 0;
      if (idleFrom > now) continue;
      blobs.delete(reference);
      held -= blob.length;
      free(blob);
    }
    if (held < bytes) return 0;
    return Math.min(...[...blobs.values()].map(({ idleFrom }) => idleFrom - now));
  };
  const readAlone = async <Result>(
    client: FluxClient,
    reference: string,
    use: (bytes: Uint8Array) => Result,
    signal: AbortSignal | undefined,
  ): Promise<Result> => {
    for (;;) {
      signal?.throwIfAborted();
      const known = find(reference);
      if (known) return use(known);
      const waitMs = makeRoom();
      if (waitMs === 0) break;
      await delay(Math.min(waitMs, shortMs));
    }
    const blob = await loadBlob(client, reference, { signal, timeoutMs });
    blobs.set(reference, { blob, idleFrom: performance.now() + idleMs });
    held += blob.length;
    return use(blob);
  };

  return {
    read: async (client, reference, use, signal) => {
      const known = find(reference);
      if (known) return use(known);
      const reading = turns.then(() => readAlone(client, reference, use, signal));
      turns = reading.catch(() => undefined);
      return reading;
    },
    done: (reference) => {
      const entry = blobs.get(reference);
      if (entry) entry.idleFrom = 0;
    },
  };
}

/** The latest time at which the end of another reader is noticed. */
const shortMs = 5;
