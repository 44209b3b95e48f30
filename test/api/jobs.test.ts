import { describe, expect, it } from 'vitest';
import { readSubmission } from '../../agent/api/routes/flux-restful-api.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { splitWords } from '../../agent/shell-words.ts';
import { startApi, writeToken } from '../support/agent/fake-api.ts';

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

  it('of copies that fails in the middle names the jobs that were submitted', async () => {
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
  ])('that is wrong names the expected value: %j', async (part, where, what) => {
    using api = await startApi();
    const { json } = await api.ask('POST', '/v1/jobs', { body: { command: 'x', ...part } });
    expect(json.errors).toEqual([{ where, what }]);
  });

  it('that is no JSON names the place', async () => {
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

describe('a job that waits', () => {
  const jobspec = JSON.stringify({
    version: 1,
    resources: [
      { type: 'node', count: 9, with: [{ type: 'slot', count: 1, with: [{ type: 'core', count: 1 }] }] },
    ],
  });
  const status = {
    R: {
      version: 1,
      execution: { R_lite: [{ rank: '0-3', children: { core: '0-1' } }], nodelist: ['mc-[0-3]'] },
    },
    ...{ drain: {}, online: '0', offline: '1-3', exclude: '' },
  };
  const flux = (state: number, spec = jobspec) => ({
    rpc: {
      'job-list.list-id': () => ({ job: { id: 5, state } }),
      'job-info.lookup': ({ flags }: { flags?: unknown }) => {
        expect(flags).toBe(2);
        return { jobspec: spec };
      },
      'resource.status': () => status,
    },
  });

  it.each([2, 4, 8])('says why it can never run, in the state %i', async (state) => {
    using api = await startApi(flux(state));
    const { json } = await api.ask('GET', '/v1/jobs/f6');
    expect(json).toMatchObject({ id: 'f6', unfit: 'it needs 9 nodes, and the instance has at most 4' });
  });

  it.each([
    ['it fits', flux(8, jobspec.replace('9', '4'))],
    ['it runs', flux(16)],
    ['Flux does not say', { rpc: { 'job-list.list-id': () => ({ job: { id: 5, state: 8 } }) } }],
  ])('says nothing of that where %s', async (_, of) => {
    using api = await startApi(of);
    const { status: code, json } = await api.ask('GET', '/v1/jobs/f6');
    expect(code).toBe(200);
    expect(json.unfit).toBeUndefined();
  });
});
