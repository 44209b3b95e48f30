/** Readers of `/v1/events`, and one that never reads. */
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../support/bed/pod.ts';
import { open, port, readers, token } from './pod.ts';

export const streams = 500;

export interface EventStreams {
  /** Bytes that the reader with the fewest and the one with the most have got since all are open. */
  readonly bytes: () => readonly [number, number];
  /** Events of jobs in what the first reader has got, those that were left out among them. */
  readonly events: () => number;
  readonly close: () => void;
}

export async function openStreams(pod: Pod): Promise<EventStreams> {
  const closing = new AbortController();
  const bytes = Array<number>(streams).fill(0);
  let text = '';
  await Promise.all(
    bytes.map(async (_, place) => {
      const secret = readers[place % readers.length] ?? '';
      const response = await open(pod, '/v1/events', { secret, signal: closing.signal });
      response.on('data', (chunk: Buffer) => {
        bytes[place] = (bytes[place] ?? 0) + chunk.length;
        if (place === 0) text += chunk;
      });
    }),
  );
  // From here on all get the same: the history of before depends on the time at which a reader came.
  await delay(500);
  bytes.fill(0);
  text = '';
  const never = createConnection({ host: pod.address, port }).pause();
  never.on('error', () => undefined);
  never.write(`GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return {
    bytes: () => [Math.min(...bytes), Math.max(...bytes)],
    events: () =>
      [...text.matchAll(/^event: jobs\ndata: (.*)$/gm)]
        .map(([, data = '']) => JSON.parse(data))
        .reduce((sum, { events, more }) => sum + events.length + more, 0),
    close: () => {
      closing.abort();
      never.destroy();
    },
  };
}
