import { describe, expect, it } from 'vitest';
import { watchInstance } from '../../agent/controller-link/watch-instance.ts';
import { connectFlux } from '../../agent/flux/client.ts';
import { Flag } from '../../agent/flux/constants.ts';
import type { Request } from '../../agent/flux/flux-message.ts';
import { patience } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';
import { type FakeBroker, type FakeConnection, startFakeBroker } from '../support/flux/fake-broker.ts';

const stats = (states: object) => ({
  job_states: { depend: 0, priority: 0, sched: 0, run: 0, cleanup: 0, inactive: 0, total: 0, ...states },
  ...{ successful: 0, failed: 0, canceled: 0, timeout: 0, inactive_purged: 0, queues: [] },
});
const poll = <T>(read: () => T) => expect.poll(read, patience);

/** A broker that streams both, and all that it was asked. */
async function startBroker(
  onRequest = (request: Request, connection: FakeConnection) => usual(request, connection),
) {
  const asked: [Request, FakeConnection][] = [];
  const broker = await startFakeBroker({
    onRequest: (request, connection) => {
      asked.push([request, connection]);
      onRequest(request, connection);
    },
  });
  const answer = (topic: string, payload: object) => {
    for (const [request, connection] of asked)
      if (request.topic === topic && !connection.socket.destroyed)
        connection.respond(request, payload as Parameters<FakeConnection['respond']>[1]);
  };
  return { ...broker, asked, answer };
}

const usual = (request: Request, { respond }: FakeConnection) => {
  if (request.topic === 'groups.get') respond(request, { members: '0-3' });
  if (request.topic === 'job-list.job-stats') respond(request, stats({ run: 1 }));
};

function watch({ path }: FakeBroker) {
  const facts: object[] = [];
  const life = new AbortController();
  watchInstance({
    connect: (how) => connectFlux(path, how),
    onChange: (more) => facts.push(more),
    signal: life.signal,
    log: recordedLog(),
    retry: { least: 1, most: 1 },
  });
  return { facts, end: () => life.abort() };
}

const jobs = (pending: number, running: number, inactive: number) => ({
  jobs: { pending, running, inactive },
});

describe('the watch over an instance', () => {
  it('asks rank 0 for two streams, and nothing more while it reports what they bring', async () => {
    await using broker = await startBroker();
    const { facts, end } = watch(broker);
    await poll(() => facts.length).toBe(2);
    expect(facts).toEqual(expect.arrayContaining([{ brokersOnline: 4 }, jobs(0, 1, 0)]));
    for (let running = 2; running <= 100; running++)
      broker.answer('job-list.job-stats', stats({ run: running }));
    broker.answer('groups.get', { members: '0,2-3' });
    await poll(() => facts.length).toBe(102);
    expect(facts).toContainEqual({ brokersOnline: 3 });
    expect(
      broker.asked.map(([{ topic, nodeid, flags }]) => [topic, nodeid, flags & Flag.streaming]).sort(),
    ).toEqual([
      ['groups.get', 0, Flag.streaming],
      ['job-list.job-stats', 0, Flag.streaming],
    ]);
    end();
  });

  it('counts jobs by the states that RFC 21 has names for', async () => {
    await using broker = await startBroker();
    const { facts, end } = watch(broker);
    await poll(() => facts.length).toBe(2);
    broker.answer(
      'job-list.job-stats',
      stats({ depend: 1, priority: 2, sched: 4, run: 8, cleanup: 16, inactive: 32, total: 63 }),
    );
    await poll(() => facts.at(-1)).toEqual(jobs(7, 24, 32));
    end();
  });

  it('leaves nothing open at the broker when it ends', async () => {
    await using broker = await startBroker();
    const { facts, end } = watch(broker);
    await poll(() => facts.length).toBe(2);
    end();
    await poll(() => broker.connections.every(({ socket }) => socket.closed)).toBe(true);
    expect(broker.connections).toHaveLength(2);
  });

  it('ends also while the broker takes no connection', async () => {
    await using broker = await startFakeBroker({ admission: undefined });
    const { facts, end } = watch(broker);
    await poll(() => broker.connections.length).toBe(2);
    end();
    await poll(() => broker.connections.every(({ socket }) => socket.closed)).toBe(true);
    expect(facts).toEqual([]);
  });

  it.each<[string, (request: Request, connection: FakeConnection) => void]>([
    ['job-list is not loaded yet', (request, { respond }) => respond(request, undefined, 38)],
    ['the broker closes the connection', (_, { socket }) => void socket.destroy()],
    ['the stream ends', (request, { respond }) => respond(request, undefined, 61)],
    ['the answer is of another shape', (request, { respond }) => respond(request, { job_states: 1 })],
  ])('asks again for job states where %s, and reports the brokers online meanwhile', async (_, act) => {
    let failures = 3;
    await using broker = await startBroker((request, connection) => {
      if (request.topic !== 'job-list.job-stats' || failures === 0) return usual(request, connection);
      failures--;
      act(request, connection);
    });
    const { facts, end } = watch(broker);
    await poll(() => facts.length).toBe(2);
    expect(facts).toEqual(expect.arrayContaining([{ brokersOnline: 4 }, jobs(0, 1, 0)]));
    expect(broker.asked.filter(([{ topic }]) => topic === 'groups.get')).toHaveLength(1);
    end();
  });
});
