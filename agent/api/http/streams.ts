/**
 * Answers of any length: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), text or JSON. A slow reader
 * slows its source down; one that takes nothing for a while is cut off, which frees all memory held for it.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type ConcurrencyLimits, createConcurrencyLimit } from './concurrency-limit.ts';

/** The body of a streamed answer. */
export interface Source {
  /**
   * Yields the body, and opens what it needs for that itself, so that it also closes it. The head goes out with the first chunk, which may
   * be empty; an error before it is answered with a problem, a later one breaks the connection off.
   */
  readonly chunks: (signal: AbortSignal, response: ServerResponse) => AsyncIterable<string | Buffer>;
  /** Sent while there is no chunk. */
  readonly beat?: string;
}

export interface Streams {
  /** Writes until the source ends or the reader closes the connection. Throws an HttpProblem (429) where too many streams are open. */
  readonly write: (response: ServerResponse, client: string, source: Source) => Promise<void>;
}

export interface StreamLimits extends ConcurrencyLimits {
  /** A reader that takes nothing for so long is cut off. */
  readonly stallMs: number;
  /** The interval of `beat`, so that proxies keep the connection. */
  readonly beatMs: number;
}

export const usualStreamLimits: StreamLimits = { most: 600, each: 100, stallMs: 10_000, beatMs: 15_000 };

export function createStreams(limits: StreamLimits = usualStreamLimits): Streams {
  const { stallMs, beatMs } = limits;
  const limit = createConcurrencyLimit('streams', limits);
  return {
    write: async (response, client, { chunks, beat }) => {
      using _taken = limit.take(client);
      const closed = new AbortController();
      const end = () => closed.abort();
      response.once('close', end);
      if (response.destroyed) end();
      let heart: NodeJS.Timeout | undefined;
      try {
        for await (const chunk of chunks(closed.signal, response)) {
          if (closed.signal.aborted) break;
          if (!response.headersSent) response.flushHeaders();
          if (beat !== undefined) heart ??= setInterval(() => sendBeat(response, beat), beatMs);
          if (chunk.length > 0 && !response.write(chunk)) await drained(response, stallMs, closed.signal);
        }
        response.end();
      } catch (error) {
        if (!closed.signal.aborted) throw error;
      } finally {
        clearInterval(heart);
        response.off('close', end);
        closed.abort();
      }
    },
  };
}

/** Only where the reader has taken all before. */
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

/** One server-sent event. `data` is JSON, in which line ends are escaped. */
export const sse = (event: string, data: unknown, id?: number): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export const sseBeat = ': keep-alive\n\n';
export const sseType = 'text/event-stream; charset=utf-8';
