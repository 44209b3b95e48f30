import { describe, expect, it } from 'vitest';
import type { FluxClient } from '../../agent/flux/client.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { getAttr } from '../../agent/flux/services/attr.ts';
import { getGroup, watchGroup } from '../../agent/flux/services/groups.ts';
import { lookup, parseEventlog, watchEventlog } from '../../agent/flux/services/job-info.ts';
import { signWithNone, submitJob } from '../../agent/flux/services/job-ingest.ts';
import { getJob, getJobStats, listJobs } from '../../agent/flux/services/job-list.ts';
import {
  cancelJob,
  getQueueStatus,
  killJob,
  raiseException,
  setUrgency,
} from '../../agent/flux/services/job-manager.ts';
import { getHealth, watchHealth } from '../../agent/flux/services/overlay.ts';
import { getConfig, reloadConfig } from '../../agent/flux/services/reload-config.ts';
import {
  countResources,
  drain,
  getResourceStatus,
  getScheduledResources,
  undrain,
} from '../../agent/flux/services/resource.ts';
import { getState, watchState } from '../../agent/flux/services/state-machine.ts';

interface Asked {
  readonly topic: string;
  readonly payload: unknown;
  readonly options: unknown;
}

/** A client whose every answer is known beforehand: one for an RPC, all of them for a stream. */
function clientThatAnswers(answers: Readonly<Record<string, readonly unknown[]>>) {
  const asked: Asked[] = [];
  const left = new Map(Object.entries(answers).map(([topic, list]) => [topic, [...list]]));
  const give = (answer: unknown) => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const client = {
    rpc: async (topic: string, payload: unknown, options: unknown) => {
      asked.push({ topic, payload, options });
      return give(left.get(topic)?.shift() ?? {});
    },
    async *stream(topic: string, payload: unknown, options: unknown) {
      asked.push({ topic, payload, options });
      for (const answer of answers[topic] ?? []) yield give(answer);
    },
  } as unknown as FluxClient;
  return { client, asked };
}

const collect = async <Item>(stream: AsyncIterable<Item>): Promise<Item[]> => {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
};

const id = 11291066368n;
const rank0 = { nodeid: 0 };
const resourceSet = (rank: string, cores: string, gpus?: string) => ({
  version: 1,
  execution: {
    R_lite: rank === '' ? [] : [{ rank, children: { core: cores, ...(gpus && { gpu: gpus }) } }],
    starttime: 0,
    expiration: 0,
    nodelist: ['mc-[0-3]'],
  },
});
const someSet = resourceSet('0-3', '0-1', '0');
const readSet = (rank: number[], core: number[], gpu?: number[]) => ({
  execution: {
    R_lite: rank.length === 0 ? [] : [{ rank, children: { core, ...(gpu && { gpu }) } }],
    nodelist: ['mc-[0-3]'],
  },
});
const job = { id: Number(id), state: 64, result: 2, name: 'sh', ranks: '0', waitstatus: 256, unknown: true };
const readJob = { id, state: 'inactive', result: 'failed', name: 'sh', ranks: '0', waitstatus: 256 };
const stats = {
  job_states: { depend: 0, priority: 0, sched: 1, run: 2, cleanup: 0, inactive: 4, total: 7 },
  successful: 1,
  failed: 1,
  canceled: 1,
  timeout: 1,
};
const health = {
  rank: 0,
  status: 'partial',
  duration: 1.5,
  children: [{ rank: 1, status: 'offline', duration: 2 }],
};

type Case = [
  topic: string,
  call: (client: FluxClient) => Promise<unknown>,
  sent: object,
  answer: unknown,
  result: unknown,
];

const cases: Case[] = [
  ['state-machine.get', getState, {}, { state: 'run', duration: 3 }, { state: 'run', duration: 3 }],
  ['attr.get', (client) => getAttr(client, 'size'), { name: 'size' }, { value: '4', flags: 1 }, '4'],
  ['overlay.health', getHealth, {}, health, health],
  ['groups.get', (client) => getGroup(client, 'g'), { name: 'g' }, { members: '0-2,5' }, [0, 1, 2, 5]],
  ['groups.get', (client) => getGroup(client, 'g'), { name: 'g' }, { members: '' }, []],
  [
    'resource.status',
    getResourceStatus,
    {},
    {
      R: someSet,
      drain: { '1-2': { timestamp: 17.5, reason: 'disk' } },
      online: '0-3',
      offline: '',
      exclude: '0',
      torpid: '2',
    },
    {
      R: readSet([0, 1, 2, 3], [0, 1], [0]),
      drain: { '1-2': { timestamp: 17.5, reason: 'disk' } },
      online: [0, 1, 2, 3],
      offline: [],
      exclude: [0],
      torpid: [2],
    },
  ],
  [
    'resource.sched-status',
    getScheduledResources,
    {},
    { all: someSet, down: resourceSet('', ''), allocated: resourceSet('1', '0') },
    { all: readSet([0, 1, 2, 3], [0, 1], [0]), down: readSet([], []), allocated: readSet([1], [0]) },
  ],
  [
    'resource.drain',
    (client) => drain(client, '1', 'disk'),
    { targets: '1', reason: 'disk', mode: 'update' },
    {},
    undefined,
  ],
  ['resource.undrain', (client) => undrain(client, '1'), { targets: '1' }, {}, undefined],
  [
    'job-list.list',
    (client) => listJobs(client),
    { max_entries: 1000, attrs: ['all'], since: 0 },
    { jobs: [job] },
    [readJob],
  ],
  [
    'job-list.list',
    (client) =>
      listJobs(client, { maxEntries: 1, since: 5, constraint: { states: ['run'] }, attributes: ['name'] }),
    { max_entries: 1, attrs: ['name'], since: 5, constraint: { states: ['run'] } },
    { jobs: [] },
    [],
  ],
  ['job-list.list-id', (client) => getJob(client, id), { id, attrs: ['all'] }, { job }, readJob],
  ['job-list.job-stats', getJobStats, {}, { ...stats, queues: [] }, stats],
  [
    'job-manager.raise',
    (client) => cancelJob(client, id),
    { id, type: 'cancel', severity: 0 },
    {},
    undefined,
  ],
  [
    'job-manager.raise',
    (client) => raiseException(client, id, { type: 'test', severity: 1, note: 'why' }),
    { id, type: 'test', severity: 1, note: 'why' },
    {},
    undefined,
  ],
  ['job-manager.kill', (client) => killJob(client, id, 15), { id, signum: 15 }, {}, undefined],
  ['job-manager.urgency', (client) => setUrgency(client, id, 0), { id, urgency: 0 }, {}, undefined],
  [
    'job-manager.queue-status',
    getQueueStatus,
    {},
    { enable: false, disable_reason: 'full', start: true },
    { enable: false, disable_reason: 'full', start: true },
  ],
  [
    'job-info.lookup',
    (client) => lookup(client, id, ['R', 'jobspec']),
    { id, keys: ['R', 'jobspec'], flags: 0 },
    { id: 1, R: '{}', jobspec: '{ }' },
    { R: '{}', jobspec: '{ }' },
  ],
  ['config.reload', reloadConfig, {}, {}, undefined],
  ['config.get', getConfig, {}, { tbon: { topo: 'kary:2' } }, { tbon: { topo: 'kary:2' } }],
];

describe('a service', () => {
  it.each(cases)('%s is asked and its answer read', async (topic, call, sent, answer, result) => {
    const { client, asked } = clientThatAnswers({ [topic]: [answer] });
    expect(await call(client)).toEqual(result);
    expect(asked).toMatchObject([{ topic, payload: sent }]);
    if (/^(groups|resource|job-list)/.test(topic)) expect(asked[0]?.options).toMatchObject(rank0);
  });

  it.each<[string, (client: FluxClient) => Promise<unknown>, unknown, string]>([
    ['state-machine.get', getState, { state: 'dancing', duration: 1 }, 'state'],
    ['state-machine.get', getState, { state: 'run' }, 'duration'],
    ['state-machine.get', getState, [], 'the answer'],
    ['attr.get', (client) => getAttr(client, 'size'), { value: 4 }, 'value'],
    [
      'overlay.health',
      getHealth,
      { ...health, children: [{ rank: 1, status: 'fine', duration: 2 }] },
      'children.0.status',
    ],
    ['groups.get', (client) => getGroup(client, 'g'), {}, 'members'],
    ['groups.get', (client) => getGroup(client, 'g'), { members: '5-' }, 'members'],
    [
      'resource.status',
      getResourceStatus,
      { R: someSet, drain: {}, online: 'all', offline: '', exclude: '' },
      'online',
    ],
    [
      'resource.sched-status',
      getScheduledResources,
      {
        all: { execution: { R_lite: [{ rank: '0', children: { core: 4 } }] } },
        down: someSet,
        allocated: someSet,
      },
      'all.execution.R_lite.0.children.core',
    ],
    ['job-list.list', (client) => listJobs(client), { jobs: [{ id: 'f1' }] }, 'jobs.0.id'],
    ['job-list.list-id', (client) => getJob(client, id), { job: { ...job, t_run: 'now' } }, 'job.t_run'],
    ['job-list.job-stats', getJobStats, { ...stats, failed: undefined }, 'failed'],
    ['job-manager.queue-status', getQueueStatus, { start: true }, 'enable'],
    ['job-info.lookup', (client) => lookup(client, id, ['R']), { R: { version: 1 } }, 'R'],
    [
      'job-info.eventlog-watch',
      (client) => collect(watchEventlog(client, id, 'eventlog')),
      { event: 5 },
      'event',
    ],
    [
      'job-info.eventlog-watch',
      (client) => collect(watchEventlog(client, id, 'eventlog')),
      { event: '{"timestamp":1}\n' },
      'name',
    ],
    ['overlay.health', (client) => collect(watchHealth(client)), { ...health, rank: 'one' }, 'rank'],
    ['groups.get', (client) => collect(watchGroup(client, 'g')), { members: 1 }, 'members'],
    ['state-machine.monitor', (client) => collect(watchState(client)), { state: 'run' }, 'state'],
    ['job-ingest.submit', (client) => submitJob(client, {}), {}, 'id'],
  ])(
    '%s with an answer of another shape fails with EPROTO and names the field',
    async (topic, call, answer, field) => {
      const failure = await call(clientThatAnswers({ [topic]: [answer] }).client).catch((error) => error);
      expect(failure).toBeInstanceOf(FluxError);
      expect(failure).toMatchObject({ errnum: Errno.protocol, topic });
      expect((failure as Error).message).toMatch(
        new RegExp(`^${topic}: ${field} is not what was expected: `),
      );
    },
  );
});

describe('attr.get', () => {
  it('of a name that is not set gives undefined; any other error is thrown', async () => {
    const { client } = clientThatAnswers({ 'attr.get': [new FluxError(2), new FluxError(1)] });
    expect(await getAttr(client, 'no-such')).toBeUndefined();
    await expect(getAttr(client, 'secret')).rejects.toMatchObject({ errno: 'EPERM' });
  });
});

describe('groups.get as a stream', () => {
  it('gives the members at every change', async () => {
    const { client, asked } = clientThatAnswers({ 'groups.get': [{ members: '0' }, { members: '0-3' }] });
    expect(await collect(watchGroup(client, 'broker.online'))).toEqual([[0], [0, 1, 2, 3]]);
    expect(asked[0]?.options).toMatchObject(rank0);
  });
});

describe('resource counts', () => {
  it('add up over ranks', async () => {
    const { client } = clientThatAnswers({
      'resource.sched-status': [
        {
          all: {
            execution: {
              R_lite: [
                { rank: '0-3', children: { core: '0-1', gpu: '0' } },
                { rank: '7', children: { core: '0-7' } },
              ],
            },
          },
          down: resourceSet('', ''),
          allocated: resourceSet('', ''),
        },
      ],
    });
    const { all, down } = await getScheduledResources(client);
    expect(countResources(all)).toEqual({ nodes: 5, cores: 16, gpus: 4 });
    expect(countResources(down)).toEqual({ nodes: 0, cores: 0, gpus: 0 });
  });
});

describe('an event log', () => {
  const line = (name: string, context?: object) => `${JSON.stringify({ timestamp: 1.5, name, context })}\n`;

  it('comes entry by entry, also where several come at once', async () => {
    const { client, asked } = clientThatAnswers({
      'job-info.eventlog-watch': [
        { event: line('submit', { userid: 0 }) },
        { event: line('validate') + line('depend') },
      ],
    });
    const entries = await collect(watchEventlog(client, id, 'eventlog'));
    expect(entries.map(({ name }) => name)).toEqual(['submit', 'validate', 'depend']);
    expect(entries[0]).toEqual({ timestamp: 1.5, name: 'submit', context: { userid: 0 } });
    expect(asked[0]).toMatchObject({
      payload: { id, path: 'eventlog', flags: 0 },
      options: { cancelTopic: 'job-info.eventlog-watch-cancel' },
    });
  });

  it('that a job writes as it runs is waited for', async () => {
    const { client, asked } = clientThatAnswers({ 'job-info.eventlog-watch': [] });
    await collect(watchEventlog(client, id, 'guest.output', { waits: true }));
    expect(asked[0]?.payload).toEqual({ id, path: 'guest.output', flags: 1 });
  });

  it('with a line that is no JSON fails with EPROTO', () => {
    expect(() => parseEventlog(`${line('submit')}{"timest`)).toThrow(
      expect.objectContaining({
        errnum: Errno.protocol,
        message: 'eventlog: a line of an event log is not JSON',
      }),
    );
  });
});

describe('a submission', () => {
  it('is signed with none: HEADER.PAYLOAD.none', async () => {
    const { client, asked } = clientThatAnswers({ 'job-ingest.submit': [{ id: 5 }] });
    expect(await submitJob(client, { version: 1 }, 20)).toBe(5n);
    const [{ payload: sent } = {}] = asked;
    const { J, urgency, flags } = sent as { J: string; urgency: number; flags: number };
    expect({ urgency, flags }).toEqual({ urgency: 20, flags: 0 });
    const [header = '', payload = '', signature] = J.split('.');
    expect(Buffer.from(header, 'base64').toString()).toBe(
      `version\0i1\0userid\0i${process.getuid?.()}\0mechanism\0snone\0`,
    );
    expect(Buffer.from(payload, 'base64').toString()).toBe('{"version":1}');
    expect(signature).toBe('none');
  });

  it('looks as Flux itself signs it', () => {
    expect(signWithNone('{}', 0)).toBe('dmVyc2lvbgBpMQB1c2VyaWQAaTAAbWVjaGFuaXNtAHNub25lAA==.e30=.none');
  });
});

describe('state-machine.monitor', () => {
  const monitor = 'state-machine.monitor';
  const get = 'state-machine.get';
  const named = (state: string) => ({ state, duration: 0 });

  it('gives the name of each state by its number, asking for one name only', async () => {
    const { client, asked } = clientThatAnswers({
      [monitor]: [{ state: 1 }, { state: 2 }, { state: 5 }, { state: 11 }],
      [get]: [named('join')],
    });
    expect(await collect(watchState(client))).toEqual(['join', 'config-sync', 'run', 'exit']);
    expect(asked.map(({ topic }) => topic)).toEqual([monitor, get]);
  });

  it('trusts the numbers also where the broker was quicker than the question', async () => {
    const { client } = clientThatAnswers({ [monitor]: [{ state: 1 }, { state: 5 }], [get]: [named('init')] });
    expect(await collect(watchState(client))).toEqual(['join', 'run']);
  });

  it('asks for each name where the numbers are those of another version', async () => {
    const { client } = clientThatAnswers({
      [monitor]: [{ state: 4 }, { state: 5 }, { state: 99 }],
      [get]: [named('init'), named('quorum'), named('exit')],
    });
    expect(await collect(watchState(client))).toEqual(['init', 'quorum', 'exit']);
  });

  it('is put off while the broker is not online yet: until then every line of its log asks for the state', async () => {
    let monitored = 0;
    let state = 'join';
    const client = {
      rpc: async () => named(state),
      async *stream(topic: string) {
        if (topic === 'log.dmesg') {
          for (const next of ['join', 'config-sync', 'init']) {
            state = next;
            yield `<6>broker.info[1]: ${next}`;
          }
        } else if (++monitored === 1) throw new FluxError(Errno.tryAgain);
        else yield* [{ state: 3 }, { state: 4 }];
      },
    } as unknown as FluxClient;
    expect(await collect(watchState(client))).toEqual(['join', 'config-sync', 'init', 'quorum']);
  });

  it('is put off by a broker that does not show its log: it is asked again and again', async () => {
    const states = ['join', 'join', 'config-sync', 'init', 'init'].map(named);
    let monitored = 0;
    const client = {
      rpc: async () => states.shift(),
      async *stream(topic: string) {
        if (topic === 'log.dmesg') throw new FluxError(Errno.noService);
        if (++monitored === 1) throw new FluxError(Errno.tryAgain);
        yield* [{ state: 3 }, { state: 4 }];
      },
    } as unknown as FluxClient;
    expect(await collect(watchState(client))).toEqual(['join', 'config-sync', 'init', 'quorum']);
  });

  it('that is put off ends with the reason when it is aborted', async () => {
    const controller = new AbortController();
    const { client } = clientThatAnswers({
      [monitor]: [new FluxError(Errno.tryAgain)],
      [get]: [named('join')],
    });
    const states = watchState(client, { signal: controller.signal });
    await states.next();
    setTimeout(() => controller.abort(new Error('enough')), 5);
    await expect(states.next()).rejects.toThrow('enough');
  });
});
