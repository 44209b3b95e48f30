import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../agent/flux/client.ts';
import { Flag } from '../../agent/flux/constants.ts';
import type { Request } from '../../agent/flux/flux-message.ts';
import { watchIdle } from '../../agent/instance/watch-idle.ts';
import { patience } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';
import { type FakeConnection, startFakeBroker } from '../support/flux/fake-broker.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);
const hour = 3_600_000;
const counts = { depend: 0, priority: 0, sched: 0, run: 0, cleanup: 0, inactive: 0, total: 0 };
const stats = (states: object) => ({
  job_states: { ...counts, ...states },
  ...{ successful: 0, failed: 0, canceled: 0, timeout: 0 },
});

/** A broker with these jobs. */
async function startBroker(first: object, now: object = first) {
  const streams: [Request, FakeConnection][] = [];
  let asked = 0;
  const broker = await startFakeBroker({
    onRequest: (request, connection) => {
      const isStream = (request.flags & Flag.streaming) !== 0;
      if (isStream) streams.push([request, connection]);
      else asked++;
      connection.respond(request, stats(isStream ? first : now) as never);
    },
  });
  const tell = (states: object) => {
    for (const [request, connection] of streams)
      if (!connection.socket.destroyed) connection.respond(request, stats(states) as never);
  };
  return { ...broker, tell, streams, asked: () => asked };
}

function watch({ path }: { path: string }, idleMs: number) {
  let idle = 0;
  const life = new AbortController();
  watchIdle({
    connect: (how) => connectFlux(path, how),
    idleMs,
    onIdle: () => idle++,
    signal: life.signal,
    log: recordedLog(),
    retry: { least: 1, most: 1 },
  });
  return { idle: () => idle, end: () => life.abort() };
}

describe('an instance', () => {
  it('without jobs is idle after the time, once, also one that has had jobs', async () => {
    await using broker = await startBroker({ inactive: 7 });
    const { idle, end } = watch(broker, 20);
    await poll(idle).toBe(1);
    broker.tell({ inactive: 8 });
    broker.tell({ inactive: 9 });
    await poll(broker.asked).toBe(1);
    expect(idle()).toBe(1);
    end();
  });

  it.each(['depend', 'priority', 'sched', 'run', 'cleanup'])(
    'with a job in the state %s is not idle',
    async (state) => {
      await using broker = await startBroker({ [state]: 1 }, {});
      const { idle, end } = watch(broker, 1);
      await poll(() => broker.streams.length).toBe(1);
      broker.tell({ [state]: 1, inactive: 1 });
      // Were it idle before, it would have asked.
      broker.tell({});
      await poll(idle).toBe(1);
      expect(broker.asked()).toBe(1);
      end();
    },
  );

  it('counts anew when a job has ended', async () => {
    await using broker = await startBroker({});
    const { idle, end } = watch(broker, hour);
    await poll(() => broker.streams.length).toBe(1);
    broker.tell({ run: 1 });
    broker.tell({});
    end();
    expect(idle()).toBe(0);
    const soon = watch(broker, 5);
    await poll(soon.idle).toBe(1);
    soon.end();
  });

  it('is not idle where a job has come at the last moment, of which the stream does not know yet', async () => {
    await using broker = await startBroker({}, { sched: 1 });
    const { idle, end } = watch(broker, 5);
    await poll(broker.asked).toBe(1);
    broker.tell({ sched: 1 });
    broker.tell({});
    await poll(broker.asked).toBe(2);
    expect(idle()).toBe(0);
    end();
  });

  it('is not idle while its jobs are not known, and leaves nothing open when the watch ends', async () => {
    await using broker = await startBroker({});
    const { idle, end } = watch(broker, hour);
    await poll(() => broker.streams.length).toBe(1);
    broker.streams[0]?.[1].socket.destroy();
    await poll(() => broker.streams.length).toBe(2);
    end();
    await poll(() => broker.connections.every(({ socket }) => socket.closed)).toBe(true);
    expect(idle()).toBe(0);
  });
});
