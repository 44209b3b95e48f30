import { describe, expect, it } from 'vitest';
import { readSubmission } from '../../agent/api/compatibility.ts';
import { listPage } from '../../agent/api/jobs.ts';
import { jobspecOf } from '../../agent/api/jobspec.ts';
import { splitWords } from '../../agent/api/split-words.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { formatJobId } from '../../agent/flux/job-id.ts';
import { fakeBroker, startApi, writeToken } from '../support/fake-api.ts';

const defaults = { environment: { PATH: '/bin' }, directory: '/work' };

describe('a jobspec', () => {
  it('is what `flux submit` makes of the same', () => {
    const job = {
      command: ['echo', 'hi'],
      nodes: 2,
      tasks: 4,
      coresPerTask: 3,
      gpusPerTask: 1,
      duration: '5m',
      name: 'x',
      cwd: '/tmp',
      environment: { A: 'b' },
      dependencies: ['afterany:f12', { scheme: 'begin-time', value: '5' }],
    };
    expect(jobspecOf(job, defaults)).toEqual({
      version: 1,
      resources: [
        {
          type: 'node',
          count: 2,
          with: [
            {
              type: 'slot',
              count: 2,
              label: 'task',
              with: [
                { type: 'core', count: 3 },
                { type: 'gpu', count: 1 },
              ],
            },
          ],
        },
      ],
      tasks: [{ command: ['echo', 'hi'], slot: 'task', count: { per_slot: 1 } }],
      attributes: {
        system: {
          duration: 300,
          cwd: '/tmp',
          environment: { PATH: '/bin', A: 'b' },
          job: { name: 'x' },
          dependencies: [
            { scheme: 'afterany', value: 'f12' },
            { scheme: 'begin-time', value: '5' },
          ],
        },
      },
    });
  });

  it.each([
    ['make && ./a.out', 'make'],
    ['  /usr/bin/python3 run.py', 'python3'],
    ['OMP_NUM_THREADS=4 A="b c" ./lmp -in x', 'lmp'],
    ['# a comment\n\n(cd /tmp; ls)', 'cd'],
    ['"/opt/my tool/bin/go on" x', 'go on'],
    ['hostname|sort', 'hostname'],
    ['A=b', undefined],
    ['', undefined],
  ])('of a line for sh has the name of the program that it begins with: %j', (command, name) => {
    const { attributes } = jobspecOf({ command }, defaults) as { attributes: { system: { job?: object } } };
    expect(attributes.system.job).toEqual(name === undefined ? undefined : { name });
  });

  it('counts tasks as a whole where the nodes do not divide them', () => {
    expect(jobspecOf({ command: 'x', nodes: 2, tasks: 3 }, defaults)).toMatchObject({
      resources: [{ count: 2, with: [{ count: 2 }] }],
      tasks: [{ command: ['sh', '-c', 'x'], count: { total: 3 } }],
    });
  });

  it.each([
    [{ nodes: 4, tasks: 2 }, /^tasks: /],
    [{ exclusive: true }, /^exclusive: /],
  ])('is refused where it does not go together: %j', (job, message) => {
    expect(() => jobspecOf({ command: 'x', ...job }, defaults)).toThrow(message);
  });
});

/** A job-list service with jobs of its own: constraints, order and max_entries as RFC 43 has them. */
function jobList(pending: number, running: number, inactive: number) {
  const states = { depend: 2, priority: 4, sched: 8, run: 16, cleanup: 32, inactive: 64 };
  type Fake = { id: number; state: number; t_run?: number; t_inactive?: number; name: string };
  const jobs: Fake[] = [
    ...Array.from({ length: pending }, (_, n) => ({ id: n + 1, state: 8, name: `p${n}` })),
    // Two start at every moment, three end at every moment.
    ...Array.from({ length: running }, (_, n) => ({
      id: 100_000 + n,
      state: 16,
      t_run: 500 - Math.floor(n / 2),
      name: `r${n}`,
    })),
    ...Array.from({ length: inactive }, (_, n) => ({
      id: 200_000 + n,
      state: 64,
      t_inactive: 90_000.5 - Math.floor(n / 3),
      name: `i${n}`,
    })),
  ];
  const most: number[] = [];
  const list = ({
    max_entries,
    constraint,
  }: {
    max_entries: number;
    constraint: { and: Record<string, string[]>[] };
  }) => {
    most.push(max_entries);
    const found = jobs.filter((job) =>
      constraint.and.every((condition) => {
        if (condition.states)
          return condition.states.some((name) => states[name as keyof typeof states] === job.state);
        if (condition.t_run) return (job.t_run ?? 0) <= Number(condition.t_run[0]?.slice(2));
        if (condition.t_inactive) return (job.t_inactive ?? 0) <= Number(condition.t_inactive[0]?.slice(2));
        if (condition.name) return job.name === condition.name[0];
        return false;
      }),
    );
    return { jobs: found.slice(0, max_entries) };
  };
  const one = ({ id }: { id: number | bigint }) => ({ job: jobs.find((job) => job.id === Number(id)) });
  const rpc = { 'job-list.list': list as never, 'job-list.list-id': one as never };
  return { broker: fakeBroker({ rpc }), jobs, most };
}

describe('pages', () => {
  it('say of each running job how long it has run until now', async () => {
    const t_run = Date.now() / 1000 - 100;
    const list = () => ({ jobs: [1, 2, 3].map((id) => ({ id, state: 16, t_run })) });
    const client = await fakeBroker({ rpc: { 'job-list.list': list } }).client();
    const { jobs } = await listPage(client, { limit: 3, state: ['RUNNING'] });
    expect(jobs.map(({ runtime = 0 }) => Math.round(runtime / 100))).toEqual([1, 1, 1]);
  });

  it.each([1, 2, 7, 50])('of %i show every job once, in the order of the list', async (limit) => {
    const { broker, jobs } = jobList(11, 9, 23);
    const client = await broker.client();
    const seen: string[] = [];
    for (let cursor: string | undefined, pages = 0; pages < 100; pages++) {
      const page = await listPage(client, { limit, cursor });
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(seen).toEqual(jobs.map(({ id }) => formatJobId(BigInt(id))));
  });

  it('ask for no more than they hold, however far back they are', async () => {
    const { broker, most } = jobList(0, 0, 10_000);
    const client = await broker.client();
    let cursor: string | undefined;
    for (let pages = 0; pages < 50; pages++) cursor = (await listPage(client, { limit: 100, cursor })).next;
    expect(Math.max(...most)).toBeLessThanOrEqual(103);
  });

  it('hold what a search finds in names, and an id wherever it is', async () => {
    const { broker } = jobList(3, 3, 3000);
    const client = await broker.client();
    const { jobs } = await listPage(client, { search: 'I299', limit: 1000 });
    expect(jobs.map(({ name }) => name)).toEqual([
      'i299',
      ...Array.from({ length: 10 }, (_, n) => `i299${n}`),
    ]);
    const [first] = (await listPage(client, { search: 'i2999' })).jobs;
    expect((await listPage(client, { search: first?.id })).jobs).toEqual([first]);
  });

  it('go on where a search has stopped in the middle', async () => {
    const { broker } = jobList(0, 0, 100);
    const client = await broker.client();
    const first = await listPage(client, { search: 'i', limit: 40 });
    const second = await listPage(client, { search: 'i', limit: 100, cursor: first.next });
    expect([...first.jobs, ...second.jobs].map(({ name }) => name)).toEqual(
      Array.from({ length: 100 }, (_, n) => `i${n}`),
    );
  });
});

describe('submission', () => {
  it('with an Idempotency-Key happens once, and another request with that key is refused', async () => {
    let id = 40;
    using api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: ++id }) } });
    const headers = { 'idempotency-key': 'one' };
    const post = (command: string) => api.ask('POST', '/v1/jobs', { body: { command }, headers });
    const [first, again] = await Promise.all([post('a'), post('a')]);
    expect(first).toMatchObject({ status: 201, json: { idDecimal: '41' } });
    expect(again).toMatchObject({ status: 200, json: { idDecimal: '41' } });
    expect((await post('b')).status).toBe(422);
    expect(api.asked.filter(([topic]) => topic === 'job-ingest.submit')).toHaveLength(1);
  });

  it('of copies submits one job for each number, which it has in its environment and its command', async () => {
    let id = 0;
    using api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: ++id }) } });
    const job = { command: ['echo', 'this is {cc} of {cc}'], environment: { A: 'b' } };
    const { status, json } = await api.ask('POST', '/v1/jobs/cc', { body: { cc: '3,7-9', job } });
    expect(status).toBe(201);
    expect(json.ids).toHaveLength(4);
    const specs = api.asked.map(([, { J }]) =>
      JSON.parse(Buffer.from(String(J).split('.')[1] ?? '', 'base64').toString()),
    );
    expect(specs.map(({ tasks }) => tasks[0].command[1])).toEqual(
      [3, 7, 8, 9].map((n) => `this is ${n} of ${n}`),
    );
    expect(specs.map(({ attributes }) => attributes.system.environment)).toEqual(
      [3, 7, 8, 9].map((n) => expect.objectContaining({ A: 'b', FLUX_JOB_CC: String(n) })),
    );
    expect(api.log.lines.at(-1)).toMatchObject(['info', 'API: submit jobs', { status: 201 }]);
  });

  it('of copies that fails in the middle says which jobs there are', async () => {
    let id = 0;
    using api = await startApi({
      rpc: {
        'job-ingest.submit': () => {
          if (++id > 3) throw new FluxError(Errno.noService);
          return { id };
        },
      },
    });
    const { status, json } = await api.ask('POST', '/v1/jobs/cc', {
      body: { cc: '1-5000', job: { command: ['true'] } },
    });
    expect(status).toBe(503);
    expect(json.detail).toMatch(/^3 of 5000 jobs were submitted, then: /);
    expect(json.ids).toEqual(['f2', 'f3', 'f4']);
  });

  it.each(['', '1-', '5-1', 'all', '0-10000', '0-4294967296'])(
    'of copies is refused for cc %j',
    async (cc) => {
      using api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: 1 }) } });
      const { status } = await api.ask('POST', '/v1/jobs/cc', { body: { cc, job: { command: ['true'] } } });
      expect(status).toBe(422);
      expect(api.asked).toEqual([]);
    },
  );

  it('that is wrong lists every fault with its place', async () => {
    using api = await startApi();
    const body = { command: ['x', 1], nodes: 0, tasks: 'two', urgency: 32, nope: true };
    const { status, json } = await api.ask('POST', '/v1/jobs', { body });
    expect(status).toBe(422);
    expect(json.errors.map(({ where }: { where: string }) => where).sort()).toEqual(
      ['/command/1', '/nodes', '/nope', '/tasks', '/urgency'].sort(),
    );
  });

  it.each([
    [{ nodes: 0 }, '/nodes', 'expected a whole number from 1'],
    [{ tasks: 'two' }, '/tasks', 'expected a whole number from 1'],
    [{ urgency: 32 }, '/urgency', 'expected a whole number from 0 to 31'],
    [{ duration: 'abc' }, '/duration', 'expected seconds, or a time such as 90s, 10m or 1.5h'],
    [{ duration: -1 }, '/duration', 'expected seconds, or a time such as 90s, 10m or 1.5h'],
    [{ duration: [] }, '/duration', 'expected seconds, or a time such as 90s, 10m or 1.5h'],
    [{ exclusive: 'yes' }, '/exclusive', 'expected true or false'],
    [{ environment: { 'A=': 'b' } }, '/environment/A=', 'expected the name of a variable'],
    [{ environment: { A: 1 } }, '/environment/A', 'expected text'],
    [{ dependencies: ['f1'] }, '/dependencies/0', 'expected SCHEME:VALUE, such as afterok:f2qx7SvB'],
    [{ name: '' }, '/name', 'expected text of 1 to 255 characters'],
    [{ nodez: 1 }, '/nodez', 'there is no such field'],
  ])('that is wrong says what was expected: %j', async (part, where, what) => {
    using api = await startApi();
    const { json } = await api.ask('POST', '/v1/jobs', { body: { command: 'x', ...part } });
    expect(json.errors).toEqual([{ where, what }]);
  });

  it('that is no JSON says where', async () => {
    using api = await startApi();
    const { status, json } = await api.ask('POST', '/v1/jobs', { body: '{"command": "x",}' });
    expect(status).toBe(400);
    expect(json.detail).toMatch(
      /^The body is not JSON, at line 1, column 17: Expected double-quoted property name\.$/,
    );
  });

  it('is 503 while Flux does not answer', async () => {
    using api = await startApi();
    const { status, json, headers } = await api.ask('POST', '/v1/jobs', { body: { command: 'x' } });
    expect({ status, errno: json.errno, retry: headers.get('retry-after') }).toEqual({
      status: 503,
      errno: 'ENOSYS',
      retry: '1',
    });
  });

  it('takes no variable of the pod along', async () => {
    using api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: 1 }) } });
    await api.ask('POST', '/v1/jobs', { body: { command: 'x' } });
    const J = String(api.asked.at(-1)?.[1].J);
    const jobspec = JSON.parse(Buffer.from(J.split('.')[1] ?? '', 'base64').toString());
    expect(jobspec.attributes.system.environment).toEqual({ PATH: '/bin' });
  });
});

describe('what is asked of a job that does not exist', () => {
  it.each([
    ['GET', '/v1/jobs/f2qx7SvB'],
    ['GET', '/v1/jobs/f2qx7SvB/jobspec'],
    ['GET', '/v1/jobs/f2qx7SvB/events'],
    ['GET', '/v1/jobs/f2qx7SvB/output'],
    ['POST', '/v1/jobs/f2qx7SvB/cancel'],
    ['POST', '/v1/jobs/f2qx7SvB/signal'],
    ['PUT', '/v1/jobs/f2qx7SvB/urgency'],
  ])('is 404 and names it: %s %s', async (method, path) => {
    const unknown = (text: string) => () => {
      throw new FluxError(Errno.noEntry, { text });
    };
    using api = await startApi({
      rpc: {
        'job-list.list-id': unknown(''),
        'job-info.lookup': unknown(''),
        'kvs.lookup': unknown(''),
        'job-manager.raise': unknown('unknown job id'),
        'job-manager.kill': unknown('unknown job id'),
        'job-manager.urgency': unknown('unknown job'),
      },
    });
    const body = { '/signal': { signal: 'TERM' }, '/urgency': { urgency: 1 } }[path.slice(17)];
    const { status, json } = await api.ask(method, path, { ...(body && { body }) });
    expect({ status, detail: json.detail }).toEqual({ status: 404, detail: 'There is no job f2qx7SvB.' });
  });
});

describe('draining nodes that do not exist', () => {
  const R = {
    execution: { R_lite: [{ rank: '0-3', children: { core: '0-1' } }], nodelist: ['mc-[0-3]'] },
  };
  it.each(['drain', 'undrain'])('is 422 and names those that do: %s', async (verb) => {
    using api = await startApi({
      rpc: {
        [`resource.${verb}`]: () => {
          throw new FluxError(Errno.invalid, { text: 'idset is out of range' });
        },
        'resource.status': () => ({ R, drain: {}, online: '0-3', offline: '', exclude: '' }),
      },
    });
    const { status, json } = await api.ask('POST', `/v1/nodes/${verb}`, { body: { targets: '99' } });
    expect({ status, errors: json.errors }).toEqual({
      status: 422,
      errors: [{ where: '/targets', what: 'idset is out of range; there are the ranks 0-3, hosts mc-[0-3]' }],
    });
  });
});

describe('in the terms of flux-restful-api', () => {
  it.each([
    [`echo 'a b' "c \\" d" e\\ f`, ['echo', 'a b', 'c " d', 'e f']],
    [`x ''`, ['x', '']],
    [`it's`, [`it's`]],
    ['', []],
  ])('a command is split as a shell would: %s', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it('a submission is a job of ours', () => {
    expect(
      readSubmission({ command: 'sleep 1', num_tasks: '2', num_nodes: '2', runtime: '9', exclusive: 'true' }),
    ).toEqual({ command: ['sleep', '1'], nodes: 2, tasks: 2, duration: 9, exclusive: true });
  });

  it('an access token is had for a user and a token', async () => {
    using api = await startApi();
    const basic = `Basic ${Buffer.from(`me:${writeToken}`).toString('base64')}`;
    const { json } = await api.ask('POST', '/v1/token', { token: '', headers: { authorization: basic } });
    expect((await api.ask('GET', '/v1/session', { token: json.access_token })).json.role).toBe('write');
  });
});
