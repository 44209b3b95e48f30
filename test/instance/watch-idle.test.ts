import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../agent/flux/client.ts';
import { Flag } from '../../agent/flux/constants.ts';
import { Errno } from '../../agent/flux/errors.ts';
import type { Request } from '../../agent/flux/flux-message.ts';
import { type Wait, watchIdle } from '../../agent/instance/watch-idle.ts';
import { patience } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';
import { type FakeConnection, startFakeBroker } from '../support/flux/fake-broker.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);
const none = { depend: 0, priority: 0, sched: 0, run: 0, cleanup: 0, inactive: 0, total: 0 };
const stats = (states: object) => ({
  job_states: { ...none, ...states },
  ...{ successful: 0, failed: 0, canceled: 0, timeout: 0 },
});

/** A broker with these jobs. */
async function startBroker(first: object) {
  const streams: [Request, FakeConnection][] = [];
  let asked = 0;
  let now: object | undefined = first;
  const broker = await startFakeBroker({
    onRequest: (request, connection) => {
      const isStream = (request.flags & Flag.streaming) !== 0;
      if (isStream) {
        streams.push([request, connection]);
        return connection.respond(request, stats(first) as never);
      }
      asked++;
      if (now) connection.respond(request, stats(now) as never);
      else connection.respond(request, undefined, Errno.noService);
    },
  });
  const tell = (states: object) => {
    for (const [request, connection] of streams)
      if (!connection.socket.destroyed) connection.respond(request, stats(states) as never);
  };
  /** The jobs where they are asked for; undefined for an error. The stream does not have them yet. */
  const become = (states: object | undefined) => {
    now = states;
  };
  return { ...broker, tell, become, streams, asked: () => asked };
}

const idleMs = 60_000;

/** Its time passes when a test says so. */
function watch({ path }: { path: string }) {
  const timers: { readonly ms: number; readonly act: () => void; isSet: boolean }[] = [];
  const wait: Wait = (ms, act) => {
    const timer = { ms, act, isSet: true };
    timers.push(timer);
    return () => {
      timer.isSet = false;
    };
  };
  let idle = 0;
  const life = new AbortController();
  watchIdle({
    connect: (how) => connectFlux(path, how),
    idleMs,
    onIdle: () => idle++,
    signal: life.signal,
    log: recordedLog(),
    retry: { least: 1, most: 1 },
    wait,
  });
  return {
    idle: () => idle,
    end: () => life.abort(),
    /** How often the time began to count, and whether it counts. */
    counts: () => [timers.length, timers.filter(({ isSet }) => isSet).length],
    waits: () => timers.map(({ ms }) => ms),
    pass: () => {
      for (const timer of timers.filter(({ isSet }) => isSet)) {
        timer.isSet = false;
        timer.act();
      }
    },
  };
}

describe('an instance', () => {
  it('without jobs is idle after the time, once, also one that has had jobs', async () => {
    await using broker = await startBroker({ inactive: 7 });
    const { idle, counts, waits, pass, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    pass();
    await poll(idle).toBe(1);
    broker.tell({ inactive: 7 });
    broker.tell({ inactive: 7, run: 1 });
    broker.tell({ inactive: 8 });
    await poll(counts).toEqual([2, 1]);
    expect(waits()).toEqual([idleMs, idleMs]);
    expect([idle(), broker.asked()]).toEqual([1, 1]);
    end();
  });

  it('is idle by the timers of Node.js as well', async () => {
    await using broker = await startBroker({});
    const life = new AbortController();
    const idle = new Promise<void>((onIdle) =>
      watchIdle({
        ...{ connect: (how) => connectFlux(broker.path, how), idleMs: 5, onIdle },
        ...{ signal: life.signal, log: recordedLog() },
      }),
    );
    await idle;
    life.abort();
  });

  it.each(['depend', 'priority', 'sched', 'run', 'cleanup'])(
    'with a job in the state %s is not idle',
    async (state) => {
      await using broker = await startBroker({ [state]: 1 });
      const { counts, end } = watch(broker);
      await poll(() => broker.streams.length).toBe(1);
      broker.tell({ [state]: 1, inactive: 1 });
      broker.tell({});
      await poll(counts).toEqual([1, 1]);
      end();
    },
  );

  it('counts anew when a job has ended', async () => {
    await using broker = await startBroker({});
    const { counts, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    broker.tell({ run: 1 });
    await poll(counts).toEqual([1, 0]);
    broker.tell({ inactive: 1 });
    await poll(counts).toEqual([2, 1]);
    end();
  });

  it('counts anew when a job has ended that was too short to be seen active', async () => {
    await using broker = await startBroker({ inactive: 7 });
    const { idle, counts, pass, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    broker.tell({ inactive: 8 });
    await poll(counts).toEqual([2, 1]);
    broker.tell({ inactive: 9 });
    await poll(counts).toEqual([3, 1]);
    // Such a job at the last moment, of which the stream does not know yet.
    broker.become({ inactive: 10 });
    pass();
    await poll(counts).toEqual([4, 1]);
    expect(idle()).toBe(0);
    pass();
    await poll(idle).toBe(1);
    end();
  });

  it('is not idle where a job has come at the last moment, of which the stream does not know yet', async () => {
    await using broker = await startBroker({});
    const { idle, counts, pass, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    broker.become({ sched: 1 });
    pass();
    await poll(broker.asked).toBe(1);
    broker.tell({ sched: 1 });
    broker.tell({});
    await poll(counts).toEqual([2, 1]);
    expect(idle()).toBe(0);
    end();
  });

  it('is idle all the same where it was not known once whether there are jobs', async () => {
    await using broker = await startBroker({});
    const { idle, counts, waits, pass, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    broker.become(undefined);
    pass();
    await poll(counts).toEqual([2, 1]);
    expect(waits()).toEqual([idleMs, 10_000]);
    broker.become({});
    pass();
    await poll(idle).toBe(1);
    end();
  });

  it('counts anew after its jobs were not known, and leaves nothing open when the watch ends', async () => {
    await using broker = await startBroker({});
    const { idle, counts, end } = watch(broker);
    await poll(counts).toEqual([1, 1]);
    broker.streams[0]?.[1].socket.destroy();
    await poll(counts).toEqual([2, 1]);
    end();
    await poll(() => broker.connections.every(({ socket }) => socket.closed)).toBe(true);
    await poll(counts).toEqual([2, 0]);
    expect(idle()).toBe(0);
  });
});
