/**
 * Answers that go on: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) or plain text. A reader that
 * is slow makes the source slow; one that takes nothing for a while is cut off, and frees all that was held for it.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Problem } from './problem.ts';

export interface Streams {
  /** Writes what `source` yields until it ends or the reader has gone. Throws a Problem (429) where too many streams are open. */
  readonly write: (
    response: ServerResponse,
    source: (signal: AbortSignal) => AsyncIterable<string | Buffer>,
    beat?: string,
  ) => Promise<void>;
  /** Refuses before anything is written. */
  readonly refuseTooMany: () => void;
  readonly open: () => number;
}

export interface StreamLimits {
  readonly most: number;
  /** A reader that takes nothing for as long is cut off. */
  readonly stallMs: number;
  /** Something is sent at least as often, so that proxies keep the connection. */
  readonly beatMs: number;
}

export const usualStreamLimits: StreamLimits = { most: 600, stallMs: 10_000, beatMs: 15_000 };

export function createStreams({ most, stallMs, beatMs }: StreamLimits = usualStreamLimits): Streams {
  let open = 0;
  const refuseTooMany = () => {
    if (open >= most)
      throw new Problem(
        'too-many-requests',
        `${most} streams are open, and that is as many as there can be.`,
        {
          headers: { 'retry-after': '5' },
        },
      );
  };
  return {
    refuseTooMany,
    open: () => open,
    write: async (response, source, beat) => {
      refuseTooMany();
      open++;
      const gone = new AbortController();
      const end = () => gone.abort();
      response.once('close', end);
      if (response.destroyed) end();
      response.flushHeaders();
      const heart = beat === undefined ? undefined : setInterval(() => sendBeat(response, beat), beatMs);
      try {
        for await (const chunk of source(gone.signal)) {
          if (gone.signal.aborted) break;
          if (!response.write(chunk)) await drained(response, stallMs, gone.signal);
        }
        response.end();
      } catch (error) {
        if (!gone.signal.aborted) throw error;
      } finally {
        clearInterval(heart);
        response.off('close', end);
        gone.abort();
        open--;
      }
    },
  };
}

/** A reader that is behind needs no sign of life. */
function sendBeat(response: ServerResponse, beat: string): void {
  if (response.writableLength === 0) response.write(beat);
}

async function drained(response: ServerResponse, stallMs: number, signal: AbortSignal): Promise<void> {
  const late = setTimeout(() => response.destroy(), stallMs);
  try {
    await once(response, 'drain', { signal });
  } finally {
    clearTimeout(late);
  }
}

/** One server-sent event. `data` is JSON: a line end inside it is escaped, so that it can end nothing. */
export const sse = (event: string, data: unknown, id?: number): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export const sseBeat = ': still here\n\n';
export const sseType = 'text/event-stream; charset=utf-8';
