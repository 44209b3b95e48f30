/**
 * Blobs for readers that take them slice by slice. A reader holds none between two slices: it asks for its blob again, and finds it here
 * for as long as it is quick. One whose client is slow loses it, and loads it anew when the client goes on; so what all readers hold is
 * bounded, however many there are, and readers of the same log share what they read. Where there is no room left a quick reader waits
 * for the blobs of the others rather than to push them out: else each would load its blob anew for every slice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { free } from '../../framing.ts';
import type { FluxClient } from '../answer.ts';
import { loadBlob } from './kvs-values.ts';

export interface BlobCache {
  /**
   * Loads through `client`, unless the blob is here, and resolves to what `use` returns. The bytes are good for as long as that takes.
   * Throws a FluxError.
   */
  readonly read: <Result>(
    client: FluxClient,
    reference: string,
    use: (bytes: Uint8Array) => Result,
    signal?: AbortSignal,
  ) => Promise<Result>;
  /** A reader has come to the end of a blob. */
  readonly done: (reference: string) => void;
}

export interface BlobCacheLimits {
  /** Beyond this nothing is loaded, so that one blob more is what is held at most. */
  readonly bytes: number;
  /** A blob that no reader has asked for again for so long makes room for others. */
  readonly idleMs: number;
  readonly timeoutMs: number;
}

const usualLimits: BlobCacheLimits = { bytes: 2 * 1024 * 1024, idleMs: 100, timeoutMs: 30_000 };

export function createBlobCache({ bytes, idleMs, timeoutMs }: BlobCacheLimits = usualLimits): BlobCache {
  /** The one that was used last is the last. */
  const blobs = new Map<string, { readonly blob: Uint8Array; idleFrom: number }>();
  let held = 0;
  /** One load at a time: what the broker has in its hands for all readers together. */
  let turns: Promise<unknown> = Promise.resolve();

  const find = (reference: string): Uint8Array | undefined => {
    const entry = blobs.get(reference);
    if (!entry) return undefined;
    entry.idleFrom = performance.now() + idleMs;
    blobs.delete(reference);
    blobs.set(reference, entry);
    return entry.blob;
  };
  /** Removes what is idle, as far as there is no room; milliseconds until there may be some. */
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

/** Readers that are done are noticed within so long. */
const shortMs = 5;
