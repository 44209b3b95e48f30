import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { createEventHub } from '../../agent/api/event-hub.ts';
import { formatJobId } from '../../agent/flux/job-id.ts';
import { fakeBroker, startApi, writeToken } from '../support/agent/fake-api.ts';

/** Three nodes of two cores, of which one is offline and one drained. */
const R = (rank: string) => ({
  version: 1,
  execution: { R_lite: rank === '' ? [] : [{ rank, children: { core: '0-1' } }], nodelist: ['mc-[0-2]'] },
});
const states = { depend: 0, priority: 0, sched: 1, run: 1, cleanup: 0, inactive: 0, total: 2 };
const flux = {
  rpc: {
    'job-list.job-stats': () => ({ job_states: states, successful: 0, failed: 0, canceled: 0, timeout: 0 }),
    'resource.sched-status': () => ({ all: R('0-2'), down: R('1-2'), allocated: R('0') }),
    'resource.status': () => ({ R: R('0-2'), drain: {}, online: '0-1', offline: '2', exclude: '' }),
  },
  stream: { 'job-manager.events-journal': async function* () {} },
};
const demand = { wanted: 3, busy: 1, idle: 1, active: 2, unfit: [], unfitCount: 0 };

describe('the stream of events', () => {
  it.each([
    ['the nodes that the queue wants', { demand: () => demand }, { wanted: 3 }],
    ['none of these where the queue is not watched', {}, {}],
  ])('has samples with the nodes online, those with jobs, and %s', async (_, spec, wanted) => {
    using api = await startApi(flux, spec);
    const response = await fetch(`${api.url}/v1/events`, {
      headers: { authorization: `Bearer ${writeToken}` },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/event: sample\ndata: .*\n\n/.test(text)) {
      const part = await reader?.read();
      expect(part?.done, text).toBe(false);
      text += part?.value;
    }
    const sample = JSON.parse(/event: sample\ndata: (.*)\n/.exec(text)?.[1] ?? '');
    expect(sample.nodes).toEqual({ all: 3, online: 2, up: 1, allocated: 1, ...wanted });
  });

  it('has an event for the end of the API, which a lost connection has not', async () => {
    const api = await startApi();
    const response = await fetch(`${api.url}/v1/events`, {
      headers: { authorization: `Bearer ${writeToken}` },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const first = await reader?.read();
    expect(first?.value).toMatch(/^event: history\n/);
    api.close();
    let text = '';
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) text += part.value;
    expect(text).toMatch(/event: end\ndata: {}\n\n$/);
  });

  it('has every event of every job for each of 500 readers, encoded once for all, while one that takes nothing is cut off', async () => {
    const jobs = 3000;
    const { promise: joined, resolve: begin } = Promise.withResolvers<void>();
    async function* journal() {
      await joined;
      yield { id: -1, events: [] };
      for (let id = 1; id <= jobs; id++) {
        yield { id, events: [{ timestamp: 1, name: 'submit' }] };
        // As from a socket: a few at a time.
        if (id % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await new Promise(() => undefined);
    }
    const broker = fakeBroker({ stream: { 'job-manager.events-journal': journal } });
    const times = { gatherMs: 1, gatherMsPerReader: 0, sampleMs: 60_000 };
    const hub = createEventHub(
      broker,
      Object.assign(() => undefined, { open: async () => undefined }),
      undefined,
      times,
    );
    const readers = Array.from({ length: 500 }, () => fakeReader());
    const stuck = fakeReader({ takes: false });
    for (const { response } of [stuck, ...readers]) hub.join(response);
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    readers.at(-1)?.response.on('written', (text: string) => {
      if (text.includes(`"${formatJobId(BigInt(jobs))}"`)) end();
    });
    begin();
    await done;
    const [first = [], ...others] = readers.map(({ chunks }) => chunks.filter(Buffer.isBuffer));
    const events = first.flatMap((bytes) => JSON.parse(/data: (.*)/.exec(String(bytes))?.[1] ?? '').events);
    expect(events.map(({ id }: { id: string }) => id)).toEqual(
      Array.from({ length: jobs }, (_, n) => formatJobId(BigInt(n + 1))),
    );
    for (const chunks of others) {
      expect(chunks.length).toBe(first.length);
      expect(chunks.every((bytes, place) => bytes === first[place])).toBe(true);
    }
    expect(stuck.response.destroyed).toBe(true);
    for (const { response } of readers) response.emit('close');
  });

  it.each([
    [4, 2],
    [2, 500],
  ])('sends %i messages of events in a second to each of %i readers', async (most, count) => {
    vi.useFakeTimers();
    using _ = { [Symbol.dispose]: () => void vi.useRealTimers() };
    async function* journal() {
      yield { id: -1, events: [] };
      for (let at = 0; at < 1000; at += 25) {
        yield { id: at + 1, events: [{ timestamp: 1, name: 'submit' }] };
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    const broker = fakeBroker({ stream: { 'job-manager.events-journal': journal } });
    const hub = createEventHub(
      broker,
      Object.assign(() => undefined, { open: async () => undefined }),
    );
    const readers = Array.from({ length: count }, () => fakeReader());
    for (const { response } of readers) hub.join(response);
    await vi.advanceTimersByTimeAsync(2000);
    const messages = (readers[0]?.chunks ?? []).filter(Buffer.isBuffer).map(String);
    expect(messages.filter((text) => text.startsWith('event: jobs'))).toHaveLength(most);
    for (const { response } of readers) response.emit('close');
  });
});

/** A reader's connection, which takes all that comes, or nothing. */
function fakeReader({ takes = true } = {}) {
  const chunks: (string | Buffer)[] = [];
  const response = Object.assign(new EventEmitter(), {
    writableLength: 0,
    destroyed: false,
    write: (chunk: string | Buffer) => {
      chunks.push(chunk);
      if (!takes) response.writableLength += 100 * chunk.length;
      response.emit('written', String(chunk));
    },
    destroy: () => {
      response.destroyed = true;
      response.emit('close');
    },
  });
  return { chunks, response: response as unknown as ServerResponse & EventEmitter };
}
