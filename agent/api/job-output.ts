/** What a job has written (RFC 24: guest.output), as a whole or as it comes. */
import type { FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import type { JobId } from '../flux/job-id.ts';
import { type EventlogEntry, lookup, parseEventlog, watchEventlog } from '../flux/services/job-info.ts';

/** A piece of output. */
export interface Piece {
  readonly stream: 'stdout' | 'stderr' | 'log';
  /** The tasks that wrote it, an RFC 22 idset. */
  readonly rank: string;
  readonly data: string;
  readonly timestamp: number;
}

/** What one answer holds at most, in characters. */
export const mostOutput = 16 * 1024 * 1024;

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
    // RFC 24: what is no UTF-8 comes in base64.
    data: encoding === 'base64' ? Buffer.from(data, 'base64').toString() : data,
    timestamp,
  };
}

/** Everything until now; undefined where the job has not begun to write. */
export async function readOutput(
  client: FluxClient,
  id: JobId,
): Promise<{ pieces: Piece[]; truncated: boolean } | undefined> {
  try {
    const record = await lookup(client, id, ['guest.output']);
    const text = record['guest.output'];
    const truncated = text.length > mostOutput;
    const whole = truncated ? text.slice(0, text.lastIndexOf('\n', mostOutput)) : text;
    const pieces = parseEventlog(whole).map(pieceOf);
    return { pieces: pieces.filter((piece) => piece !== undefined), truncated };
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) return undefined;
    throw error;
  }
}

/**
 * Pieces as they come, until the job has ended, numbered by their entries: `after` is the number of the last one that was seen. A job
 * that never started has none.
 */
export async function* followOutput(
  client: FluxClient,
  id: JobId,
  { after = -1, signal }: { after?: number; signal?: AbortSignal } = {},
): AsyncGenerator<{ number: number; piece: Piece }, void> {
  let number = -1;
  try {
    if (!(await waitForOutput(client, id, signal))) return;
    for await (const entry of watchEventlog(client, id, 'guest.output', { signal })) {
      number++;
      const piece = number > after ? pieceOf(entry) : undefined;
      if (piece) yield { number, piece };
    }
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) return;
    throw error;
  }
}

/**
 * Waits until there is a log of output; false where the job has ended without having begun. Flux could be asked to wait for the log
 * itself (FLUX_JOB_EVENT_WATCH_WAITCREATE), but one in fifty such watches, begun as the job started, never said anything (0.88).
 * This is the way of flux-core src/cmd/job/attach.c: when the shell has begun, its output log exists.
 */
async function waitForOutput(
  client: FluxClient,
  id: JobId,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const comes = async (path: string, name: string): Promise<boolean> => {
    for await (const entry of watchEventlog(client, id, path, { signal }))
      if (entry.name === name) return true;
    return false;
  };
  if (!(await comes('eventlog', 'start'))) return false;
  // A shell that failed before may all the same have said why.
  await comes('guest.exec.eventlog', 'shell.init');
  return true;
}
