import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readToken, startApi, writeToken } from '../support/agent/fake-api.ts';
import { begunJob } from '../support/flux/fake-kvs.ts';

const submitted = { 'job-ingest.submit': () => ({ id: 42 }) };
let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi({ rpc: { ...submitted, 'job-manager.raise': () => ({}) } });
});
afterAll(() => api.close());

const job = { command: ['true'] };

describe('an unauthenticated client', () => {
  const changes = [
    ['POST', '/v1/jobs'],
    ['POST', '/v1/jobs/f1/cancel'],
    ['POST', '/v1/shutdown'],
    ['POST', '/v1/service/stop'],
    ['GET', '/v1/jobs'],
    ['GET', '/v1/events'],
    ['GET', '/v1/health'],
  ] as const;
  it.each(changes)('gets 401 without a token: %s %s', async (method, path) => {
    const { status, json, headers } = await api.ask(method, path, { token: '' });
    expect(status).toBe(401);
    expect(json).toMatchObject({ type: '/v1/problems#unauthorized', status: 401 });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="flux-pod"');
  });

  it('gets 401 with a wrong token, and after many 429, while one that is in use still works', async () => {
    using other = await startApi({ rpc: submitted }, { now: () => 0 });
    expect((await other.ask('GET', '/v1/session')).status).toBe(200);
    const codes: number[] = [];
    for (let guess = 0; guess < 25; guess++)
      codes.push((await other.ask('GET', '/v1/session', { token: `wrong-${guess}-0123456789` })).status);
    expect(codes[0]).toBe(401);
    expect(codes.at(-1)).toBe(429);
    const refused = other.log.lines.filter(([, message]) => message === 'API: refused');
    expect(refused[0]).toEqual([
      'warn',
      'API: refused',
      {
        from: '127.0.0.1',
        request: 'GET /v1/session',
        why: 'The Authorization header names no token of this API.',
      },
    ]);
    // A guesser does not fill the log.
    expect(refused.length).toBeLessThan(8);
    expect((await other.ask('POST', '/v1/jobs', { body: job })).status).toBe(201);
    expect(
      (await other.ask('POST', '/v1/session', { token: '', body: { token: 'wrong-0123456789' } })).status,
    ).toBe(429);
  });

  it('finds no token in the log or in an answer', async () => {
    const { text } = await api.ask('POST', '/v1/jobs', { body: { command: [], token: writeToken } });
    await api.ask('POST', '/v1/jobs', { body: job });
    expect(`${text}${JSON.stringify(api.log.lines)}`).not.toContain(writeToken);
  });
});

describe('a token that may read', () => {
  it.each([
    ['POST', '/v1/jobs'],
    ['POST', '/v1/jobs/submit'],
    ['POST', '/v1/jobs/f1/cancel'],
    ['POST', '/v1/jobs/f1/signal'],
    ['PUT', '/v1/jobs/f1/urgency'],
    ['POST', '/v1/nodes/drain'],
    ['POST', '/v1/shutdown'],
    ['POST', '/v1/service/stop'],
  ])('gets 403 for a change, and it is in the log: %s %s', async (method, path) => {
    const { status } = await api.ask(method, path, { token: readToken, body: job });
    expect(status).toBe(403);
    expect(api.log.lines.at(-1)).toMatchObject(['warn', /^API: /, { role: 'read', status: 403 }]);
  });
});

describe('paths', () => {
  it.each([
    ['/v1/jobs/../../etc/passwd', 404],
    ['/v1/jobs/..%2f..%2fetc%2fpasswd', 404],
    ['//v1/jobs', 404],
    ['/v1/jobs/', 404],
    ['/v1/jobs/%00', 404],
    ['/v1/jobs/%zz', 400],
    ['/page.js/../../../etc/passwd', 404],
    [`/v1/jobs?search=${'x'.repeat(9000)}`, 400],
    ['/v1/jobs?limit=1e9', 400],
    ['/v1/jobs?cursor=i_1_99999999', 400],
    ['http://elsewhere/v1/jobs', 404],
  ])('that play tricks are refused: %s', async (path, expected) => {
    // Not fetch(), which would tidy the path up.
    const ask = request({
      port: api.port,
      host: '127.0.0.1',
      path,
      headers: { authorization: `Bearer ${writeToken}` },
    }).end();
    const [response] = await once(ask, 'response');
    expect(response.resume().statusCode).toBe(expected);
  });

  it('have methods, and OPTIONS is none: CORS is off', async () => {
    const { status, headers } = await api.ask('OPTIONS', '/v1/jobs', {
      headers: { origin: 'http://evil.example' },
    });
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('POST, GET, HEAD');
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

/** Writes raw bytes and resolves to the first line that comes back, or `closed`. */
function raw(lines: string, more?: () => string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ port: api.port, host: '127.0.0.1' });
    socket.once('data', (bytes) => {
      resolve(bytes.toString().split('\r\n', 1)[0] ?? '');
      socket.destroy();
    });
    socket.once('close', () => resolve('closed')).on('error', () => undefined);
    socket.write(lines);
    const pump = () => {
      while (more && !socket.destroyed && socket.write(more()));
    };
    socket.on('drain', pump);
    pump();
  });
}
const head = `POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${writeToken}\r\nContent-Type: application/json\r\n`;

describe('too much', () => {
  it('a body of 1 GB is refused before it is read: 413', async () => {
    expect(await raw(`${head}Content-Length: 1073741824\r\n\r\n`)).toMatch(/ 413 /);
  });
  it('a body without end is refused at 1 MiB: 413', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    // Nothing after the byte too many: what is not read would reset the connection, and the answer might be lost.
    const body = `${chunk.repeat(16)}1\r\nx\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${body}`)).toMatch(/ 413 /);
  });
  it('headers without end: 431', async () => {
    expect(await raw('GET / HTTP/1.1\r\n', () => `X-${'a'.repeat(100)}: b\r\n`)).toMatch(/ 431 |closed/);
  });
  it('requests without end from one token: 429, and how long to wait', async () => {
    using slow = await startApi({}, { rate: 2, now: () => 0 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => slow.ask('GET', '/v1/session')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    const refused = answers.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  });
  it('JSON that is deep, or is none, or would change what objects are', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const body of ['{', 'null', deep, '{"command":["x"],"__proto__":{"polluted":1}}']) {
      const { status } = await api.ask('POST', '/v1/jobs', { body });
      expect([400, 422, 201]).toContain(status);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('a page of another site', () => {
  const signIn = async () => {
    const { headers } = await api.ask('POST', '/v1/session', { token: '', body: { token: writeToken } });
    const cookie = headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^flux_pod_session=\S+; Path=\/; Max-Age=36000; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(writeToken);
    return cookie.split(';', 1)[0] ?? '';
  };

  it('changes nothing with the cookie alone: 403; our page, with its header, does', async () => {
    const cookie = await signIn();
    const post = (headers: Record<string, string>) =>
      api.ask('POST', '/v1/jobs', { token: '', body: job, headers: { cookie, ...headers } });
    expect((await post({})).status).toBe(403);
    expect((await post({ 'x-flux-pod': 'page', 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post({ 'x-flux-pod': 'page', origin: 'http://evil.example' })).status).toBe(403);
    expect((await post({ 'x-flux-pod': 'page', origin: 'null' })).status).toBe(403);
    expect(api.log.lines.at(-1)).toEqual([
      'warn',
      'API: refused',
      { from: '127.0.0.1', request: 'POST /v1/jobs', why: 'The request comes from a page of another site.' },
    ]);
    expect(
      (await post({ 'x-flux-pod': 'page', origin: api.url, 'sec-fetch-site': 'same-origin' })).status,
    ).toBe(201);
    expect((await api.ask('GET', '/v1/session', { token: '', headers: { cookie } })).json.role).toBe('write');
  });

  it('nor with a password that a browser has kept: 403', async () => {
    const basic = `Basic ${Buffer.from(`me:${writeToken}`).toString('base64')}`;
    const headers = { authorization: basic, 'sec-fetch-site': 'cross-site' };
    expect((await api.ask('POST', '/v1/jobs', { token: '', body: job, headers })).status).toBe(403);
    const mine = { authorization: basic };
    expect((await api.ask('POST', '/v1/jobs', { token: '', body: job, headers: mine })).status).toBe(201);
    expect(api.log.lines.at(-1)).toMatchObject(['info', 'API: submit a job', { user: 'me', status: 201 }]);
  });

  it('reaches an API without tokens by no name of its own (DNS rebinding): 403', async () => {
    using open = await startApi({ rpc: submitted }, { open: true });
    expect((await open.ask('POST', '/v1/jobs', { token: '', body: job })).status).toBe(201);
    const ask = request({
      port: open.port,
      host: '127.0.0.1',
      path: '/v1/session',
      headers: { host: 'evil.example' },
    });
    const [response] = await once(ask.end(), 'response');
    expect(response.resume().statusCode).toBe(403);
  });

  it('frames nothing, and nothing but our script runs', async () => {
    const { headers, text } = await api.ask('GET', '/', { token: '' });
    expect(headers.get('content-security-policy')).toMatch(/script-src 'self';.*frame-ancestors 'none'/);
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(text).not.toMatch(/<script>|\son\w+=|\sstyle=/);
  });
});

describe('tokens that are exchanged', () => {
  it('work from then on, and the old ones and their sessions no more', async () => {
    using mine = await startApi();
    const { headers } = await mine.ask('POST', '/v1/session', { token: '', body: { token: writeToken } });
    const cookie = headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    writeFileSync(join(mine.directory, 'write'), 'another-0123456789abcdef\n');
    const another = () => mine.ask('GET', '/v1/session', { token: 'another-0123456789abcdef' });
    await expect.poll(async () => (await another()).status, { timeout: 25_000 }).toBe(200);
    expect((await mine.ask('GET', '/v1/session')).status).toBe(401);
    expect((await mine.ask('GET', '/v1/session', { token: '', headers: { cookie } })).status).toBe(401);
  });
});

describe('a stream that is never read', () => {
  it('is cut off, and what was held for it is freed', async () => {
    let alive = 0;
    async function* endless() {
      alive++;
      try {
        for (;;) {
          yield { event: `${JSON.stringify({ timestamp: 1, name: 'x'.repeat(60_000) })}\n` };
          await delay(0);
        }
      } finally {
        alive--;
      }
    }
    using mine = await startApi(
      { ...begunJob(), stream: { 'job-info.eventlog-watch': endless } },
      { streams: { most: 2, each: 2, stallMs: 300, beatMs: 1000 } },
    );
    const socket = createConnection({ port: mine.port, host: '127.0.0.1' });
    socket.pause().on('error', () => undefined);
    const closed = once(socket, 'close');
    const stream = `GET /v1/jobs/f1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${writeToken}\r\n\r\n`;
    socket.write(stream);
    await expect.poll(() => alive, { timeout: 10_000 }).toBe(1);
    await expect.poll(() => alive, { timeout: 10_000 }).toBe(0);
    socket.resume();
    await closed;
  }, 20_000);

  it('more of them than there may be: 429', async () => {
    const silent = async function* () {
      await delay(60_000, undefined, { ref: false });
      yield {};
    };
    using mine = await startApi(
      { ...begunJob(), stream: { 'job-info.eventlog-watch': silent } },
      { streams: { most: 2, each: 2, stallMs: 300, beatMs: 1000 } },
    );
    const gone = new AbortController();
    const open = () =>
      fetch(`${mine.url}/v1/jobs/f1/events`, {
        headers: { authorization: `Bearer ${writeToken}`, accept: 'text/event-stream' },
        signal: gone.signal,
      });
    const codes = [(await open()).status, (await open()).status, (await open()).status];
    gone.abort();
    expect(codes).toEqual([200, 200, 429]);
  });
});
