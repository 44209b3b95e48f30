/**
 * A job's event logs (RFC 18) slice by slice, each requested when the reader has taken the one before, so that neither the broker nor this
 * process holds more than a few blobs of a log of any size. With the other services the broker holds the whole log: `job-info.lookup`
 * answers with all of it, and `job-info.eventlog-watch` loads all blobs (flux-core src/modules/kvs-watch/kvs-watch.c, load_range)
 * and queues every entry for a client that does not read (src/common/librouter/usock.c, usock_conn_send: a list without a limit).
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Errno, FluxError } from '../../errors.ts';
import { longestMessage } from '../../framing.ts';
import type { JobId } from '../../job-id.ts';
import type { FluxClient } from '../answer.ts';
import { type EventlogEntry, parseEntry } from '../job-info.ts';
import type { BlobCache } from './blob-cache.ts';
import { getVersion, lookupParts, type Part, waitForVersion } from './kvs-values.ts';

/** Consecutive entries; `first` is the number of the first, from 0. */
export interface Slice {
  readonly first: number;
  readonly entries: readonly EventlogEntry[];
}

export interface EventlogOptions {
  /** Entries up to this number are skipped. */
  readonly after?: number | undefined;
  /**
   * Follows appends, for a log in the guest namespace of a job that has started, until that namespace is removed; else the log is read
   * as it is now.
   */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A slice has the entries that begin in so many bytes of the log. */
const sliceBytes = 16 * 1024;
/** Parts of the list that are held: a job that writes twice a second for a day has 170,000. */
const partsAtOnce = 1024;
/** The least interval of lookups of a log that grows without a pause. */
const lookupMs = 100;

/** Throws a FluxError: ENOENT where there is no such log and it is not followed. */
export async function* readEventlog(
  client: FluxClient,
  blobs: BlobCache,
  id: JobId,
  path: string,
  { after = -1, follow = false, signal }: EventlogOptions = {},
): AsyncGenerator<Slice, void> {
  // The log of a job that runs has the same key: the KVS has a link to its namespace (flux-core src/modules/job-exec/namespace.c).
  const key = `job.${dothex(id)}.${path}`;
  const namespace = `job-${id}`;
  const lines = createLines(after);
  let place = 0;
  let end: number | undefined;
  for (;;) {
    const lookedUpAt = performance.now();
    // Before the lookup: a commit between the two ends the wait below.
    const version = follow ? await getVersion(client, namespace, { signal }) : undefined;
    const { parts, total } = await partsFrom(client, key, place, follow, signal);
    end = follow ? total : (end ?? total);
    for (const part of parts.slice(0, end - place)) {
      for (let offset = 0, length = 1; offset < length; ) {
        const taken = await takeSlice(client, blobs, part, offset, lines, signal);
        ({ offset, length } = taken);
        // Else a blob that is there would be read to its end while nothing else runs, the probes neither.
        await turn();
        if (offset >= length && typeof part === 'string') blobs.done(part);
        if (taken.slice.entries.length > 0) yield taken.slice;
      }
      place++;
    }
    if (place < end) continue;
    if (version === undefined) return;
    await waitForVersion(client, namespace, version + 1, { signal });
    await delay(Math.max(0, lookupMs - (performance.now() - lookedUpAt)), undefined, { signal });
  }
}

/** flux-core src/common/libutil/fluid.c, FLUID_STRING_DOTHEX. */
const dothex = (id: JobId): string =>
  id
    .toString(16)
    .padStart(16, '0')
    .replace(/(?<=\w)(?=(\w{4})+$)/g, '.');

async function partsFrom(
  client: FluxClient,
  key: string,
  place: number,
  follow: boolean,
  signal: AbortSignal | undefined,
): Promise<{ parts: readonly Part[]; total: number }> {
  const all = await lookupParts(client, key, { signal });
  if (!all && !follow) throw new FluxError(Errno.noEntry, { text: 'there is no such event log' });
  return { parts: all?.slice(place, place + partsAtOnce) ?? [], total: all?.length ?? 0 };
}

/** Outside the generator, which would hold the blob until its reader goes on. */
async function takeSlice(
  client: FluxClient,
  blobs: BlobCache,
  part: Part,
  offset: number,
  lines: ReturnType<typeof createLines>,
  signal: AbortSignal | undefined,
): Promise<{ slice: Slice; offset: number; length: number }> {
  const take = (all: Uint8Array) => {
    const bytes = Buffer.from(all.buffer, all.byteOffset, all.length);
    const { length } = bytes;
    const lineEnd = length - offset > sliceBytes ? bytes.indexOf(newline, offset + sliceBytes) : -1;
    const end = lineEnd < 0 ? length : lineEnd + 1;
    return { slice: lines.take(bytes.subarray(offset, end)), offset: end, length };
  };
  return typeof part === 'string' ? blobs.read(client, part, take, signal) : take(part);
}

const newline = 10;

const textOf = (before: readonly Buffer[], bytes: Buffer): string =>
  (before.length === 0 ? bytes : Buffer.concat([...before, bytes])).toString();

/** Entries from bytes as they arrive. Flux appends whole lines; of other writers the rest of a line waits for its end. */
function createLines(after: number) {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let number = 0;
  return {
    take: (bytes: Buffer): Slice => {
      const complete = bytes.lastIndexOf(newline) + 1;
      const text = complete === 0 ? '' : textOf(rest, bytes.subarray(0, complete));
      if (complete > 0) [rest, restBytes] = [[], 0];
      // A copy: a view would hold the whole blob.
      if (complete < bytes.length) rest.push(Buffer.from(bytes.subarray(complete)));
      restBytes += bytes.length - complete;
      if (restBytes > longestMessage)
        throw new FluxError(Errno.tooLong, { text: `an entry of an event log has over ${restBytes} bytes` });
      const all = text.split('\n').filter((line) => line !== '');
      const passed = Math.min(all.length, Math.max(0, after + 1 - number));
      const first = number + passed;
      number += all.length;
      return { first, entries: all.slice(passed).map((line) => parseEntry(line, 'eventlog')) };
    },
  };
}
