/**
 * Answers that go on or that are long: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), text or
 * JSON. A reader that is slow makes the source slow; one that takes nothing for a while is cut off, and frees all that was held for it.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type ConcurrencyLimits, createConcurrencyLimit } from './concurrency-limit.ts';

/** What is written after the head. */
export interface Source {
  /**
   * Yields what is to be written, and opens what it needs for that itself, so that it is closed with it. The head goes out with the
   * first chunk, which may be empty; what is thrown before is an answer of its own. What is thrown later breaks the connection off.
   */
  readonly chunks: (signal: AbortSignal, response: ServerResponse) => AsyncIterable<string | Buffer>;
  /** Sent while there is nothing else to send. */
  readonly beat?: string;
}

export interface Streams {
  /** Writes until the source ends or the reader has gone. Throws a Problem (429) where too many streams are open. */
  readonly write: (response: ServerResponse, client: string, source: Source) => Promise<void>;
}

export interface StreamLimits extends ConcurrencyLimits {
  /** A reader that takes nothing for as long is cut off. */
  readonly stallMs: number;
  /** Something is sent at least as often, so that proxies keep the connection. */
  readonly beatMs: number;
}

export const usualStreamLimits: StreamLimits = { most: 600, each: 100, stallMs: 10_000, beatMs: 15_000 };

export function createStreams(limits: StreamLimits = usualStreamLimits): Streams {
  const { stallMs, beatMs } = limits;
  const limit = createConcurrencyLimit('streams', limits);
  return {
    write: async (response, client, { chunks, beat }) => {
      using _taken = limit.take(client);
      const gone = new AbortController();
      const end = () => gone.abort();
      response.once('close', end);
      if (response.destroyed) end();
      let heart: NodeJS.Timeout | undefined;
      try {
        for await (const chunk of chunks(gone.signal, response)) {
          if (gone.signal.aborted) break;
          if (!response.headersSent) response.flushHeaders();
          if (beat !== undefined) heart ??= setInterval(() => sendBeat(response, beat), beatMs);
          if (chunk.length > 0 && !response.write(chunk)) await drained(response, stallMs, gone.signal);
        }
        response.end();
      } catch (error) {
        if (!gone.signal.aborted) throw error;
      } finally {
        clearInterval(heart);
        response.off('close', end);
        gone.abort();
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
