import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idOfToken, readToken, startApi, writeToken } from '../../support/agent/fake-api.ts';

type Api = Awaited<ReturnType<typeof startApi>>;
let api: Api;
let ids = 0;
let now = 0;
beforeEach(async () => {
  ids = 0;
  api = await startApi(
    {
      rpc: {
        'job-ingest.submit': () => ({ id: ++ids }),
        'job-manager.raise': () => ({}),
        'job-manager.kill': () => ({}),
        'job-manager.urgency': () => ({}),
        'resource.drain': () => ({}),
        'resource.undrain': () => ({}),
      },
    },
    { now: () => now },
  );
});
afterEach(() => api.close());

const basic = (user: string, token: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`,
});
const from = '127.0.0.1';
const writer = { role: 'write', token: idOfToken(writeToken), from };
const last = () => api.log.lines.at(-1);

describe('a sign-in is in the log', () => {
  it('that succeeds: by which token, and from where', async () => {
    await api.ask('POST', '/v1/session', { token: '', body: { token: readToken } });
    expect(last()).toEqual([
      'info',
      'API: sign in',
      { role: 'read', token: idOfToken(readToken), from, request: 'POST /v1/session', status: 200 },
    ]);
    await api.ask('POST', '/v1/token', { token: '', headers: basic('me', writeToken) });
    const facts = { ...writer, user: 'me', request: 'POST /v1/token', status: 200 };
    expect(last()).toEqual(['info', 'API: sign in', facts]);
  });

  it('that fails, a few at once: why, and how many more there were; the token never is', async () => {
    const wrong = 'wrong-0123456789abcdef';
    for (let guess = 0; guess < 8; guess++)
      await api.ask('POST', '/v1/session', { token: '', body: { token: wrong } });
    await api.ask('POST', '/v1/token', { token: '', headers: basic(wrong, wrong) });
    const lines = api.log.lines.filter(([, message]) => message === 'API: sign in');
    const facts = { from, request: 'POST /v1/session', status: 401, why: 'This is no token of this API.' };
    expect(lines).toEqual(Array(5).fill(['warn', 'API: sign in', facts]));
    now += 5000;
    await api.ask('POST', '/v1/session', { token: '', body: { token: wrong } });
    expect(last()).toEqual(['warn', 'API: sign in', { ...facts, leftOut: 4 }]);
    expect(JSON.stringify(api.log.lines)).not.toContain(wrong);
  });

  it('and so is the sign-out', async () => {
    const { headers } = await api.ask('POST', '/v1/session', { token: '', body: { token: writeToken } });
    const cookie = headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    await api.ask('DELETE', '/v1/session', { token: '', headers: { cookie } });
    expect(last()).toEqual([
      'info',
      'API: sign out',
      { ...writer, request: 'DELETE /v1/session', status: 200 },
    ]);
  });

  it('without the token, even where it stands in the place of the name too', async () => {
    expect(
      (await api.ask('POST', '/v1/token', { token: '', headers: basic(writeToken, writeToken) })).status,
    ).toBe(200);
    await api.ask('POST', '/v1/jobs', {
      token: '',
      headers: basic(writeToken, writeToken),
      body: { command: ['true'] },
    });
    expect(JSON.stringify(api.log.lines)).not.toContain(writeToken);
  });
});

describe('the line of a change names the change:', () => {
  const job = { command: ['true'] };
  it.each<[string, string, string, unknown, object]>([
    ['the job that was submitted', 'POST', '/v1/jobs', job, { job: 'f2' }],
    ['as flux-restful-api too', 'POST', '/v1/jobs/submit', { command: 'true' }, { job: 'f2' }],
    ['all jobs of one request', 'POST', '/v1/jobs/cc', { cc: '0-2', job }, { jobs: ['f2', 'f3', 'f4'] }],
    ['the job that was cancelled', 'POST', '/v1/jobs/66/cancel', { note: 'no' }, { job: 'f29', note: 'no' }],
    ['the signal', 'POST', '/v1/jobs/f29/signal', { signal: 'TERM' }, { job: 'f29', signal: 'TERM' }],
    ['the urgency', 'PUT', '/v1/jobs/f29/urgency', { urgency: 3 }, { job: 'f29', urgency: 3 }],
    [
      'drained nodes',
      'POST',
      '/v1/nodes/drain',
      { targets: '1-2', reason: 'hot' },
      { targets: '1-2', reason: 'hot' },
    ],
    ['nodes that are given back', 'POST', '/v1/nodes/undrain', { targets: '1' }, { targets: '1' }],
  ])('%s', async (_, method, path, body, facts) => {
    const { status } = await api.ask(method, path, { body });
    expect(status).toBeLessThan(300);
    expect(last()).toMatchObject(['info', /^API: /, { ...writer, ...facts, status }]);
  });

  it('the job of a request that was sent again with its key', async () => {
    const headers = { 'idempotency-key': 'k' };
    for (const replayed of [undefined, true]) {
      await api.ask('POST', '/v1/jobs', { body: job, headers });
      expect(last()?.[2]).toMatchObject({ job: 'f2', ...(replayed && { replayed }) });
    }
  });

  it('10,000 jobs in lines that a container’s log does not split', async () => {
    await api.ask('POST', '/v1/jobs/cc', { body: { cc: '1-10000', job } });
    const lines = api.log.lines.map(([, , facts]) => facts as { jobs?: string[] }).filter(({ jobs }) => jobs);
    expect(new Set(lines.flatMap(({ jobs }) => jobs)).size).toBe(10_000);
    for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(16_000);
  });

  it.each<[string, string, unknown, number, RegExp]>([
    ['that Flux refuses', '/v1/shutdown', { confirm: 'mc' }, 503, /./],
    ['that is not confirmed', '/v1/shutdown', { confirm: 'other' }, 422, /not the name of this MiniCluster/],
    ['whose body is none', '/v1/jobs', '{', 400, /^The body is not JSON/],
  ])('why a change %s was refused', async (_, path, body, status, why) => {
    expect((await api.ask('POST', path, { body })).status).toBe(status);
    expect(last()).toMatchObject(['warn', /^API: /, { ...writer, status, why: expect.stringMatching(why) }]);
  });
});

describe('what a client writes', () => {
  it('ends no line and begins none', async () => {
    const forged = 'x\n{"level":"info","msg":"API: sign in"}\u2028\u001b[2J\u202e';
    await api.ask('POST', '/v1/nodes/drain', { body: { targets: '1', reason: forged } });
    await api.ask('POST', `/v1/jobs/${encodeURIComponent(forged)}/cancel`, { body: { note: forged } });
    const facts = api.log.lines.flatMap(([, , each]) => Object.values(each as object));
    expect(facts.join(' ')).toContain('x\\u{a}{');
    for (const fact of facts) expect(String(fact)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});
