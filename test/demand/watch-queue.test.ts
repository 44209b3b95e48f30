import { describe, expect, it } from 'vitest';
import type { Demand } from '../../agent/demand/demand.ts';
import { wantedEvents } from '../../agent/demand/queue-state.ts';
import { watchQueue } from '../../agent/demand/watch-queue.ts';
import { connectFlux } from '../../agent/flux/client.ts';
import { Flag } from '../../agent/flux/constants.ts';
import type { Request } from '../../agent/flux/flux-message.ts';
import { decodeJson, type JsonObject } from '../../agent/flux/payload.ts';
import { patience } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';
import { type FakeConnection, startFakeBroker } from '../support/flux/fake-broker.ts';

const journal = 'job-manager.events-journal';
const nodes = 'resource.journal';
const poll = <T>(read: () => T) => expect.poll(read, patience);
const calm: Demand = { wanted: 1, busy: 0, idle: 1, active: 0, unfit: [], unfitCount: 0 };
const never = 1e9;

/** An instance of 8 nodes of 4 cores, of which one is online, and its queue. */
async function startInstance() {
  const asked: [Request, FakeConnection][] = [];
  const answers: Record<string, (payload: Record<string, unknown>) => JsonObject | number> = {
    'resource.status': () => ({
      R: {
        version: 1,
        execution: {
          R_lite: [{ rank: '0-7', children: { core: '0-3' } }],
          starttime: 0,
          expiration: 0,
          nodelist: ['mc-[0-7]'],
        },
      },
      ...{ drain: {}, online: '0', offline: '1-7', exclude: '', torpid: '' },
    }),
    'job-manager.stats-get': () => ({ housekeeping: { running: {}, config: {} } }),
    'job-manager.queue-status': () => ({ enable: true, start: true }),
    'module.list': () => ({ mods: [{ name: 'sched-simple', services: ['sched-simple', 'sched'] }] }),
  };
  const broker = await startFakeBroker({
    onRequest: (request, connection) => {
      asked.push([request, connection]);
      const { topic = '' } = request;
      const answer = answers[topic]?.(decodeJson(request.payload) as Record<string, unknown>);
      if (typeof answer === 'number') connection.respond(request, undefined, answer);
      else if (answer) connection.respond(request, answer);
      if (topic === journal) connection.respond(request, { id: -1, events: [] });
      if (topic === nodes) connection.respond(request, { events: [] });
    },
  });
  const stream = (topic: string, payload: JsonObject | undefined, errnum = 0) => {
    for (const [request, connection] of asked)
      if (request.topic === topic && !connection.socket.destroyed)
        connection.respond(request, payload, errnum);
  };
  const event = (id: number, name: string, context: JsonObject = {}, more: JsonObject = {}) =>
    stream(journal, { id, events: [{ timestamp: 1, name, context }], ...more });
  return {
    ...broker,
    asked,
    answers,
    stream,
    event,
    /** How often a topic was asked. */
    count: (topic: string) => asked.filter(([request]) => request.topic === topic).length,
    submit: (id: number, count: number) => {
      const resources = [
        {
          type: 'node',
          count,
          exclusive: true,
          with: [{ type: 'slot', count: 1, with: [{ type: 'core', count: 1 }] }],
        },
      ];
      event(id, 'submit', {}, { jobspec: { version: 1, resources } });
      event(id, 'depend');
      event(id, 'priority', { priority: 16 });
    },
    start: (id: number, rank: string, expiration = 0) =>
      event(
        id,
        'alloc',
        {},
        {
          R: {
            version: 1,
            execution: { R_lite: [{ rank, children: { core: '0-3' } }], expiration, nodelist: ['mc-0'] },
          },
        },
      ),
  };
}

type Instance = Awaited<ReturnType<typeof startInstance>>;

async function watch(
  { path }: Instance,
  times: Partial<{ queuesMs: number; housekeepingMs: number }> = {},
  clocks: Partial<Record<'now' | 'clock', () => number>> = {},
) {
  const demands: (Demand | undefined)[] = [];
  const log = recordedLog();
  const life = new AbortController();
  watchQueue({
    connect: (how) => connectFlux(path, how),
    limits: { maxSize: 8, podSeconds: 60 },
    onDemand: (demand) => demands.push(demand),
    signal: life.signal,
    log,
    times: { betweenMs: 1, queuesMs: never, housekeepingMs: never, ...times, retryMs: { least: 1, most: 1 } },
    ...clocks,
  });
  const last = () => demands.at(-1);
  // What is streamed before it listens is not heard.
  await poll(last).toEqual(calm);
  /** One more job, which is held, is in the demand: so is all that was streamed before it. */
  const hasSeen = async ({ event }: Instance, active: number) => {
    event(999, 'submit', {}, { jobspec: {} });
    await poll(() => last()?.active).toBe(active + 1);
  };
  return { demands, last, log, hasSeen, wanted: () => last()?.wanted, [Symbol.dispose]: () => life.abort() };
}

describe('the watch over a queue', () => {
  it('asks rank 0 for two streams, of jobs only the events that it needs', async () => {
    await using instance = await startInstance();
    using _watched = await watch(instance);
    const streams = instance.asked.filter(([{ flags }]) => flags & Flag.streaming);
    expect(streams.map(([{ topic, nodeid }]) => [topic, nodeid]).sort()).toEqual([
      [journal, 0],
      [nodes, 0],
    ]);
    const [request] = streams.find(([{ topic }]) => topic === journal) ?? [];
    expect(decodeJson(request?.payload)).toEqual({
      full: false,
      allow: Object.fromEntries(wantedEvents.map((name) => [name, 1])),
    });
  });

  it('reports the demand when it changes, from the submission of a job to its end', async () => {
    await using instance = await startInstance();
    using watched = await watch(instance);
    instance.submit(5, 6);
    await poll(watched.last).toEqual({ ...calm, wanted: 6, reason: 'job f6 needs 6 nodes', active: 1 });
    instance.start(5, '2-7');
    await poll(watched.last).toEqual({ ...calm, wanted: 8, busy: 8, active: 1 });
    instance.event(5, 'free');
    await poll(watched.last).toEqual({ ...calm, active: 1 });
    instance.event(5, 'clean');
    await poll(watched.last).toEqual(calm);
  });

  it('begins with the jobs that there are, and not before all of them are known', async () => {
    await using instance = await startInstance();
    const answer = instance.answers['resource.status'];
    instance.answers['resource.status'] = (payload) => {
      expect(instance.count(journal)).toBe(1);
      return answer?.(payload) ?? {};
    };
    using watched = await watch(instance);
    expect(watched.demands).toEqual([calm]);
  });

  it('asks nothing while nothing happens, however many jobs run or are held', async () => {
    await using instance = await startInstance();
    using watched = await watch(instance, { queuesMs: 1, housekeepingMs: 1 });
    instance.submit(1, 1);
    for (let id = 1; id <= 20; id++) instance.event(id, 'submit', {}, { jobspec: {} });
    instance.start(1, '0');
    await poll(() => watched.last()?.active).toBe(20);
    await poll(() => watched.last()?.busy).toBe(1);
    const before = instance.asked.length;
    await quiet();
    expect(instance.asked.length).toBe(before);
  });

  it('asks for the nodes once for each change of them', async () => {
    await using instance = await startInstance();
    using watched = await watch(instance);
    const before = instance.count('resource.status');
    instance.submit(1, 1);
    await poll(() => watched.last()?.active).toBe(1);
    expect(instance.count('resource.status')).toBe(before);
    const status = instance.answers['resource.status']?.({}) as JsonObject;
    instance.answers['resource.status'] = () => ({ ...status, online: '0-3', offline: '4-7' });
    instance.stream(nodes, { events: [{ timestamp: 1, name: 'online', context: { idset: '1-3' } }] });
    await poll(() => watched.last()?.idle).toBe(4);
    expect(instance.count('resource.status')).toBe(before + 1);
  });

  it('learns that a queue with waiting jobs is stopped or started, though Flux has no event for it', async () => {
    await using instance = await startInstance();
    using watched = await watch(instance, { queuesMs: 1 });
    instance.submit(1, 6);
    await poll(watched.wanted).toBe(6);
    instance.answers['job-manager.queue-status'] = () => ({
      enable: false,
      start: false,
      stop_reason: 'for a test',
    });
    await poll(watched.wanted).toBe(1);
    expect(watched.last()).toEqual({ ...calm, active: 1 });
    instance.answers['job-manager.queue-status'] = () => ({ enable: false, start: true });
    await poll(watched.wanted).toBe(6);
  });

  it.each<[string, JsonObject | number, number]>([
    [
      'no scheduler is loaded, which is said of all queues',
      { enable: true, start: false, blocked: 'scheduler' },
      6,
    ],
    ['its parent is stopped', { enable: true, start: false, blocked: 'parent' }, 1],
    ['it is none any more', 22, 6],
  ])('takes a queue for what it is where %s', async (_, status, wanted) => {
    await using instance = await startInstance();
    instance.answers['job-manager.queue-status'] = () => status;
    using watched = await watch(instance);
    instance.submit(1, 6);
    await watched.hasSeen(instance, 1);
    expect(watched.wanted()).toBe(wanted);
  });

  it('counts the nodes of housekeeping as busy until it has ended', async () => {
    await using instance = await startInstance();
    using watched = await watch(instance, { housekeepingMs: 1 });
    instance.submit(1, 2);
    instance.start(1, '2-3');
    await poll(() => watched.last()?.busy).toBe(4);
    const running = { f2: { t_start: 1, pending: '2-3', allocated: '2-3' } };
    instance.answers['job-manager.stats-get'] = () => ({ housekeeping: { running, config: {} } });
    for (const name of ['free', 'clean']) instance.event(1, name);
    await poll(() => watched.last()?.active).toBe(0);
    expect(watched.last()).toEqual({ ...calm, wanted: 4, busy: 4 });
    instance.answers['job-manager.stats-get'] = () => ({ housekeeping: { running: {}, config: {} } });
    await poll(watched.last).toEqual(calm);
    const asked = instance.count('job-manager.stats-get');
    await quiet();
    expect(instance.count('job-manager.stats-get')).toBe(asked);
  });

  it('does not count the time that the broker takes to answer as its own', async () => {
    await using instance = await startInstance();
    let ms = 0;
    const answer = instance.answers['job-manager.queue-status'];
    instance.answers['job-manager.queue-status'] = (payload) => {
      ms += 1e6;
      return answer?.(payload) ?? {};
    };
    using watched = await watch(instance, {}, { clock: () => ms });
    for (const id of [1, 2, 3]) {
      instance.submit(id, 1);
      await poll(watched.wanted).toBe(id);
    }
  });

  it('pauses for 20 times as long as an evaluation takes', async () => {
    await using instance = await startInstance();
    // An evaluation looks at the time of day once, and takes so long.
    let [ms, tookMs] = [0, 0];
    const now = () => {
      ms += tookMs;
      return 0;
    };
    using watched = await watch(instance, {}, { now, clock: () => ms });
    tookMs = 50;
    instance.submit(1, 1);
    await poll(() => watched.last()?.active).toBe(1);
    const began = performance.now();
    const before = watched.demands.length;
    instance.submit(2, 1);
    await poll(() => watched.demands.length).toBeGreaterThan(before);
    expect(performance.now() - began).toBeGreaterThan(10 * tookMs);
  });

  it('looks again while jobs wait, as time limits come near', async () => {
    await using instance = await startInstance();
    let seconds = 1000;
    using watched = await watch(instance, { queuesMs: 1 }, { now: () => seconds * 1000 });
    instance.submit(1, 1);
    instance.start(1, '0', 1100);
    instance.submit(2, 8);
    await watched.hasSeen(instance, 2);
    expect(watched.wanted()).toBe(1);
    seconds = 1050;
    await poll(watched.wanted).toBe(8);
  });

  it.each<[string, string, boolean]>([
    ['sched-simple', 'sched-simple', true],
    ['sched-fifo', 'sched-fifo', true],
    ['Fluxion', 'sched-fluxion-qmanager', false],
    ['backfill', 'sched-backfill', false],
    ['a Flux that does not list its modules', '', false],
  ])('keeps the order of the queue where %s does', async (_, name, inOrder) => {
    await using instance = await startInstance();
    const mods = [{ name: 'kvs' }, { name, services: ['sched'] }];
    instance.answers['module.list'] = () => (name === '' ? 38 : { mods });
    using watched = await watch(instance);
    instance.submit(1, 1);
    instance.start(1, '0');
    instance.submit(2, 8);
    instance.submit(3, 2);
    await watched.hasSeen(instance, 3);
    expect(watched.wanted()).toBe(inOrder ? 1 : 3);
  });

  it.each<[string, number, number, number]>([
    ['again after a request that timed out', 110, 1, 2],
    ['once where Flux does not list its modules', 38, 3, 1],
  ])('asks for the scheduler %s', async (_, errnum, wanted, times) => {
    await using instance = await startInstance();
    const answer = instance.answers['module.list'];
    let failures = 1;
    instance.answers['module.list'] = (payload) => (failures-- > 0 ? errnum : (answer?.(payload) ?? {}));
    using watched = await watch(instance);
    instance.submit(1, 1);
    await poll(() => instance.count('module.list')).toBeGreaterThan(0);
    instance.start(1, '0');
    instance.submit(2, 8);
    instance.submit(3, 2);
    await watched.hasSeen(instance, 3);
    expect(watched.wanted()).toBe(wanted);
    expect(instance.count('module.list')).toBe(times);
  });

  it.each<[string, (instance: Instance) => void]>([
    [
      'the stream of jobs ends, as when the job manager is unloaded',
      ({ stream }) => stream(journal, undefined, 61),
    ],
    ['the stream of nodes ends', ({ stream }) => stream(nodes, undefined, 61)],
    ['the broker closes the connection', ({ connections }) => void connections.at(-1)?.socket.destroy()],
    ['an entry is none', ({ stream }) => stream(journal, { id: 'x' })],
  ])('begins anew where %s, and the demand is unknown until then', async (_, act) => {
    await using instance = await startInstance();
    using watched = await watch(instance);
    instance.submit(1, 4);
    await poll(watched.wanted).toBe(4);
    const before = watched.demands.length;
    act(instance);
    await poll(() => watched.demands.slice(before)).toEqual([undefined, calm]);
  });

  it.each(['resource.status', 'job-manager.stats-get'])(
    'tries again where %s is not served yet',
    async (topic) => {
      await using instance = await startInstance();
      const answer = instance.answers[topic];
      let failures = 3;
      instance.answers[topic] = (payload) => (failures-- > 0 ? 38 : (answer?.(payload) ?? {}));
      using watched = await watch(instance);
      expect(watched.demands).toEqual([calm]);
    },
  );

  it('warns once where Flux does not serve what it asks for, and goes on', async () => {
    await using instance = await startInstance();
    const answer = instance.answers['resource.status'];
    let failures = 25;
    instance.answers['resource.status'] = (payload) => (failures-- > 0 ? 38 : (answer?.(payload) ?? {}));
    using watched = await watch(instance);
    expect(watched.log.lines.filter(([level]) => level === 'warn')).toEqual([
      ['warn', 'The demand of the queue is not known', { why: expect.stringContaining('resource.status') }],
    ]);
  });

  it('leaves nothing open at the broker when it ends', async () => {
    await using instance = await startInstance();
    {
      using _watched = await watch(instance);
    }
    await poll(() => instance.connections.every(({ socket }) => socket.closed)).toBe(true);
    expect(instance.connections).toHaveLength(1);
  });
});

/** Longer than the shortest of the watch's times, some of which are a millisecond here. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 50));
