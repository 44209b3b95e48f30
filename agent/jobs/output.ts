/** The output of a job (RFC 24: guest.output), until now or as it comes. */
import type { FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import type { JobId } from '../flux/job-id.ts';
import type { BlobCache } from '../flux/services/eventlog/blob-cache.ts';
import { type EventlogOptions, readEventlog } from '../flux/services/eventlog/read-eventlog.ts';
import { type EventlogEntry, watchEventlog } from '../flux/services/job-info.ts';

/** A piece of output. */
export interface Piece {
  readonly stream: 'stdout' | 'stderr' | 'log';
  /** The tasks that wrote it, an RFC 22 idset. */
  readonly rank: string;
  readonly data: string;
  readonly timestamp: number;
}

/** The piece in an entry, where it is one: a header, an end of file and a redirection are none. */
export function pieceOf({ name, context, timestamp }: EventlogEntry): Piece | undefined {
  if (!context) return undefined;
  if (name === 'log')
    return { stream: 'log', rank: String(context.rank), data: `${context.message}\n`, timestamp };
  const { stream, rank, data, encoding } = context;
  if (name !== 'data' || typeof data !== 'string') return undefined;
  return {
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    rank: String(rank),
    // RFC 24: data that is not UTF-8 is in base64.
    data: encoding === 'base64' ? Buffer.from(data, 'base64').toString() : data,
    timestamp,
  };
}

/** Consecutive pieces, each with the number of its entry. */
export type NumberedPieces = readonly { readonly number: number; readonly piece: Piece }[];

/** The output until now, a slice at a time; nothing where the job has not begun to write. */
export async function* readOutput(
  client: FluxClient,
  blobs: BlobCache,
  id: JobId,
  options: EventlogOptions = {},
): AsyncGenerator<NumberedPieces, void> {
  try {
    for await (const { first, entries } of readEventlog(client, blobs, id, 'guest.output', options)) {
      const pieces = entries.map((entry, at) => ({ number: first + at, piece: pieceOf(entry) }));
      yield pieces.flatMap(({ number, piece }) => (piece ? [{ number, piece }] : []));
    }
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) return;
    throw error;
  }
}

/**
 * The output until the job has ended; `after` is the number of the last piece that the reader has. A job that never started has none.
 */
export async function* followOutput(
  client: FluxClient,
  blobs: BlobCache,
  id: JobId,
  { after, signal }: { after?: number; signal?: AbortSignal } = {},
): AsyncGenerator<NumberedPieces, void> {
  if (await hasStarted(client, id, signal))
    yield* readOutput(client, blobs, id, { after, signal, follow: true });
}

/** Waits for the start of the job's shell, with which its KVS namespace exists; false where the job ends without. */
async function hasStarted(client: FluxClient, id: JobId, signal: AbortSignal | undefined): Promise<boolean> {
  for await (const { name } of watchEventlog(client, id, 'eventlog', { signal }))
    if (name === 'start') return true;
  return false;
}
