/** The entries of a job's own event log (RFC 21), present and future. */
import type { FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import type { JobId } from '../flux/job-id.ts';
import type { BlobCache } from '../flux/services/eventlog/blob-cache.ts';
import { type EventlogOptions, readEventlog, type Slice } from '../flux/services/eventlog/read-eventlog.ts';
import { watchEventlog } from '../flux/services/job-info.ts';
import { noSuchJob } from './list.ts';

/** The present entries, a slice at a time. Throws a JobError (not-found) where there is no such job. */
export async function* readEvents(
  client: FluxClient,
  blobs: BlobCache,
  id: JobId,
  options: EventlogOptions,
): AsyncGenerator<Slice, void> {
  try {
    yield* readEventlog(client, blobs, id, 'eventlog', options);
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) throw noSuchJob(id);
    throw error;
  }
}

/**
 * All entries until the log is complete. Present entries are read slice by slice. The log of an active job is then watched, for which Flux
 * sends it from its beginning (flux-core src/modules/job-info/watch.c): the job manager's entries of one job are few.
 */
export async function* followEvents(
  client: FluxClient,
  blobs: BlobCache,
  id: JobId,
  { after = -1, signal }: { after?: number; signal?: AbortSignal } = {},
): AsyncGenerator<Slice, void> {
  let last = after;
  for await (const slice of readEvents(client, blobs, id, { after, signal })) {
    yield slice;
    last = slice.first + slice.entries.length - 1;
    if (slice.entries.at(-1)?.name === 'clean') return;
  }
  let number = 0;
  for await (const entry of watchEventlog(client, id, 'eventlog', { signal })) {
    if (number > last) yield { first: number, entries: [entry] };
    number++;
  }
}
