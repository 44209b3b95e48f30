import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createConnection } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createBrokerConnections } from '../../agent/api/broker-connections.ts';
import { createStreams } from '../../agent/api/http/streams.ts';
import { apiRoutes } from '../../agent/api/routes/api-routes.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { readToken, startApi, writeToken } from '../support/agent/fake-api.ts';
import { type FakeBroker, startFakeBroker } from '../support/flux/fake-broker.ts';
import { entryLine, fakeKvs, logKey, outputLine } from '../support/flux/fake-kvs.ts';

const id = 0x2a;
const outputKey = logKey(id, 'guest.output');
const jobOf = (state: number) => ({ 'job-list.list-id': () => ({ job: { id, state } }) });
const [running, inactive] = [16, 64];

/** A Flux with one job that has written so many MiB in lines of 1 KiB, in blobs of 1 MiB. */
function written(mebibytes: number, state = inactive) {
  const kvs = fakeKvs();
  const line = outputLine(`${'x'.repeat(1000)}\n`);
  const blob = line.repeat(Math.floor((1024 * 1024) / line.length));
  kvs.append(outputKey, entryLine('header', { version: 1 }));
  for (let part = 0; part < mebibytes; part++) kvs.append(outputKey, `${blob}${outputLine(`${part}\n`)}`);
  return { ...kvs, rpc: { ...kvs.rpc, ...jobOf(state) } };
}

describe('the output of a job as a whole', () => {
  it.each([
    ['text', 'format=text', 'out\nerr\nmore\n'],
    ['text of one stream', 'format=text&stream=stderr', 'err\n'],
  ])('is %s', async (_, query, expected) => {
    const kvs = fakeKvs();
    kvs.append(outputKey, outputLine('out\n'));
    kvs.append(outputKey, outputLine('err\n', 'stderr') + outputLine('more\n'));
    using api = await startApi({ ...kvs, rpc: { ...kvs.rpc, ...jobOf(inactive) } });
    const { status, text, headers } = await api.ask('GET', `/v1/jobs/${id}/output?${query}`);
    expect({ status, text, type: headers.get('content-type') }).toEqual({
      status: 200,
      text: expected,
      type: 'text/plain; charset=utf-8',
    });
  });

  it('is JSON, with whether more output comes', async () => {
    const kvs = fakeKvs();
    kvs.append(outputKey, outputLine('a "b"\n') + outputLine('c\n'));
    kvs.append(outputKey, outputLine('d\n'));
    for (const [state, complete] of [
      [running, false],
      [inactive, true],
    ] as const) {
      using api = await startApi({ ...kvs, rpc: { ...kvs.rpc, ...jobOf(state) } });
      expect((await api.ask('GET', `/v1/jobs/${id}/output`)).json).toEqual({
        Output: ['a "b"\n', 'c\n', 'd\n'],
        complete,
      });
    }
  });

  it('is nothing, in the words of flux-restful-api, where there is none', async () => {
    const Message = 'The output does not exist yet, or the jobid is incorrect.';
    using before = await startApi({ rpc: { ...fakeKvs().rpc, ...jobOf(running) } });
    expect((await before.ask('GET', `/v1/jobs/${id}/output`)).json).toEqual({ Message, complete: false });
    using after = await startApi({ rpc: { ...fakeKvs().rpc, ...jobOf(inactive) } });
    expect((await after.ask('GET', `/v1/jobs/${id}/output`)).json).toEqual({
      Message,
      Output: [],
      complete: true,
    });
  });

  it('is whole however much it is', async () => {
    using api = await startApi(written(32));
    const { text } = await api.ask('GET', `/v1/jobs/${id}/output?format=text`);
    expect(text.endsWith('\n31\n')).toBe(true);
    expect(text.match(/^\d+$/gm)).toEqual(Array.from({ length: 32 }, (_, part) => String(part)));
  });

  it('is read no faster than it is taken', async () => {
    const response = Object.assign(new EventEmitter(), {
      write: () => false,
      flushHeaders: () => undefined,
      end: () => undefined,
    });
    let pulled = 0;
    async function* chunks() {
      for (; pulled < 5; pulled++) yield 'x';
    }
    const written = createStreams().write(response as unknown as ServerResponse, 'reader', { chunks });
    for (let drains = 0; drains < 5; drains++) {
      for (let turns = 0; turns < 100; turns++) await setImmediate();
      expect(pulled).toBe(drains);
      response.emit('drain');
    }
    await written;
  });

  it('that cannot be read at all is an error; in the middle the connection is broken off', async () => {
    const flux = written(3);
    const load = flux.raw['content-backing.load'] as (payload: Uint8Array) => Uint8Array;
    const failing = (from: number) => ({
      ...flux,
      raw: {
        'content-backing.load': (payload: Uint8Array) => {
          if (flux.loaded.length >= from) throw new FluxError(Errno.timedOut);
          return load(payload);
        },
      },
    });
    for (const format of ['text', 'json']) {
      flux.loaded.length = 0;
      using none = await startApi(failing(0));
      expect((await none.ask('GET', `/v1/jobs/${id}/output?format=${format}`)).status).toBe(504);
      using some = await startApi(failing(2));
      await expect(some.ask('GET', `/v1/jobs/${id}/output?format=${format}`)).rejects.toThrow('terminated');
    }
  });

  it('is the same as the event log: streamed, and 404 where there is no such job', async () => {
    const kvs = fakeKvs();
    kvs.append(logKey(id, 'eventlog'), entryLine('submit', { userid: 1 }));
    kvs.append(logKey(id, 'eventlog'), entryLine('clean'));
    using api = await startApi(kvs);
    const events = [
      { timestamp: 1, name: 'submit', context: { userid: 1 } },
      { timestamp: 1, name: 'clean' },
    ];
    expect((await api.ask('GET', `/v1/jobs/${id}/events`)).json).toEqual({ events });
    const headers = { accept: 'text/event-stream', 'last-event-id': '0' };
    const { text } = await api.ask('GET', `/v1/jobs/${id}/events`, { headers });
    expect(text).toBe(`id: 1\nevent: entry\ndata: ${JSON.stringify(events[1])}\n\nevent: end\ndata: {}\n\n`);
    expect((await api.ask('GET', '/v1/jobs/43/events')).status).toBe(404);
    expect((await api.ask('GET', '/v1/jobs/43/events', { headers })).status).toBe(404);
  });
});

/** Connections of a broker that have not been closed by the other side, once all it was told has been taken. */
const open = ({ connections }: FakeBroker): number =>
  connections.filter(({ socket }) => !socket.closed).length;

describe('a HEAD of what is streamed', () => {
  const streamed = [
    '/v1/events',
    `/v1/jobs/${id}/events`,
    `/v1/jobs/${id}/output`,
    `/v1/jobs/${id}/output/stream`,
  ];

  it.each(streamed)('leaves no connection to the broker: %s', async (path) => {
    await using flux = await startFakeBroker({
      onRequest: (request, { respond }) =>
        request.topic === 'job-list.list-id'
          ? respond(request, { job: { id, state: running } })
          : respond(request, undefined, Errno.noEntry),
    });
    using api = await startApi({}, { broker: createBrokerConnections(flux.path) });
    // The one that is kept for questions.
    await api.ask('GET', `/v1/jobs/${id}`);
    expect(open(flux)).toBe(1);
    for (const accept of ['text/event-stream', 'application/json']) {
      for (let heads = 0; heads < 10; heads++)
        expect((await api.ask('HEAD', path, { headers: { accept } })).status).toBe(200);
    }
    expect(flux.connections).toHaveLength(1);
    expect(open(flux)).toBe(1);
  });

  it('is tried for every route that answers with a stream', () => {
    const paths = apiRoutes.filter(({ handle }) => /chunks/.test(String(handle))).map((route) => route.path);
    expect(paths.map((path) => path.replace('{id}', String(id))).sort()).toEqual([...streamed].sort());
  });

  it('A reader that goes closes its connection to the broker', async () => {
    await using flux = await startFakeBroker({
      onRequest: (request, { respond }) => {
        if (request.topic === 'job-list.list-id') respond(request, { job: { id, state: running } });
      },
    });
    using api = await startApi({}, { broker: createBrokerConnections(flux.path) });
    const gone = new AbortController();
    await fetch(`${api.url}/v1/jobs/${id}/output/stream`, {
      headers: { authorization: `Bearer ${readToken}` },
      signal: gone.signal,
    });
    expect(flux.connections).toHaveLength(2);
    const closed = once(flux.connections[1]?.socket as NodeJS.EventEmitter, 'close');
    gone.abort();
    await closed;
  });
});

describe('one token', () => {
  it('takes its share of the streams and no more, whole output among them: else 429', async () => {
    using api = await startApi(written(32), {
      // No reader takes anything: none may be cut off before the last request.
      streams: { most: 3, each: 2, stallMs: 600_000, beatMs: 10_000 },
    });
    const gone = new AbortController();
    // The body of a response that nothing holds is cancelled when it is collected.
    const held: Response[] = [];
    const get = async (token: string) => {
      const response = await fetch(`${api.url}/v1/jobs/${id}/output?format=text`, {
        headers: { authorization: `Bearer ${token}` },
        signal: gone.signal,
      });
      held.push(response);
      return response;
    };
    expect([(await get(readToken)).status, (await get(readToken)).status]).toEqual([200, 200]);
    const third = await get(readToken);
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '5']);
    expect(await third.json()).toMatchObject({
      detail: 'This token has 2 streams under way, as many as one token may have at once.',
    });
    expect((await get(writeToken)).status).toBe(200);
    expect(await (await get(writeToken)).json()).toMatchObject({
      detail: '3 streams are under way, as many as there can be at once.',
    });
    expect(held.map(({ status }) => status)).toEqual([200, 200, 429, 200, 429]);
    gone.abort();
  });

  it('has two searches under way at once', async () => {
    const asked = Promise.withResolvers<void>();
    let pages = 0;
    using api = await startApi({
      rpc: {
        'job-list.list': async () => {
          pages++;
          await asked.promise;
          return { jobs: [] };
        },
        'job-list.job-stats': () => {
          throw new FluxError(Errno.noService);
        },
      },
    });
    const paths = ['/v1/jobs/search', '/v1/jobs?search=x', '/v1/jobs/search', '/v1/jobs?search=y'];
    const codeOf = async (path: string) => (await api.ask('GET', path, { token: readToken })).status;
    const first = paths.slice(0, 2).map(codeOf);
    await expect.poll(() => pages).toBe(2);
    expect(await Promise.all(paths.slice(2).map(codeOf))).toEqual([429, 429]);
    expect(pages).toBe(2);
    // A list without a search, and another token's search, are no concern of these.
    const others = [api.ask('GET', '/v1/jobs', { token: readToken }), api.ask('GET', '/v1/jobs?search=x')];
    asked.resolve();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await Promise.all(first)).toEqual([503, 200]);
    expect((await api.ask('GET', '/v1/jobs?search=x', { token: readToken })).status).toBe(200);
  });

  it.each(['/v1/jobs?search=x', '/v1/jobs/search?search=x'])(
    'has searches that end with their connections: nothing more is read for %s',
    async (path) => {
      const { promise: never } = Promise.withResolvers<never>();
      const { promise: both, resolve } = Promise.withResolvers<void>();
      let pages = 0;
      const states = { depend: 0, priority: 0, sched: 0, run: 0, cleanup: 0, inactive: 0, total: 0 };
      const stats = { job_states: states, successful: 0, failed: 0, canceled: 0, timeout: 0 };
      using api = await startApi({
        rpc: {
          'job-list.list': () => {
            if (++pages === 2) resolve();
            return pages <= 2 ? never : { jobs: [] };
          },
          'job-list.job-stats': () => stats,
        },
      });
      const client = new AbortController();
      const headers = { authorization: `Bearer ${readToken}` };
      const gone = [1, 2].map(() => fetch(`${api.url}${path}`, { headers, signal: client.signal }));
      const ends = Promise.allSettled(gone);
      await both;
      client.abort();
      await ends;
      await expect.poll(async () => (await api.ask('GET', path, { token: readToken })).status).toBe(200);
      // One for each section of the list that was asked for afterwards.
      expect(pages).toBe(2 + 3);
      expect(api.log.lines.filter(([level]) => level === 'error')).toEqual([]);
    },
  );
});

/** Sends a head and what of a body there is. Resolves to the first line of the answer when the connection has been closed. */
function sendBody(port: number, head: readonly string[], body = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => undefined).once('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}

describe('a body of an unauthenticated client', () => {
  const routes = apiRoutes.filter(({ method, role }) => method !== 'GET' && role === 'none');
  it('is taken by few routes', () => {
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v1/session',
      'DELETE /v1/session',
      'POST /v1/token',
    ]);
  });

  it.each(routes.map(({ method, path }) => [method, path]))(
    'is refused at 8 KiB or where there is none, and the connection closed: %s %s',
    async (method, path) => {
      using api = await startApi();
      const head = [`${method} ${path} HTTP/1.1`, 'Host: x', 'Content-Type: application/json'];
      expect(await sendBody(api.port, [...head, 'Content-Length: 8193'])).toMatch(/ 413 /);
      const chunk = `2001\r\n${'x'.repeat(0x2001)}\r\n`;
      expect(await sendBody(api.port, [...head, 'Transfer-Encoding: chunked'], chunk)).toMatch(/ 413 /);
    },
  );

  it('is refused before it is read, on 300 connections at once that hold it back', async () => {
    using api = await startApi();
    const head = ['POST /v1/session HTTP/1.1', 'Host: x', 'Content-Length: 1048576'];
    const answers = await Promise.all(Array.from({ length: 300 }, () => sendBody(api.port, head)));
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 413 Payload Too Large']));
  });
});

describe('a body of an authenticated client', () => {
  it.each([
    ['POST', '/v1/jobs', 1024 * 1024],
    ['POST', '/v1/jobs/cc', 1024 * 1024 + 110_000],
    ['POST', '/v1/jobs/submit', 1024 * 1024],
    ['POST', '/v1/jobs/f1/cancel', 8192],
    ['PUT', '/v1/jobs/f1/urgency', 8192],
    ['POST', '/v1/nodes/drain', 128 * 1024],
    ['POST', '/v1/shutdown', 8192],
    ['POST', '/v1/service/stop', 0],
  ])('%s %s has at most %i bytes', async (method, path, most) => {
    using api = await startApi();
    const body = 'x'.repeat(most + 1);
    const { status, json, headers } = await api.ask(method, path, { body });
    expect({ status, connection: headers.get('connection') }).toEqual({ status: 413, connection: 'close' });
    expect(json.detail).toBe(
      most === 0 ? 'This route takes no body.' : `A body of this route has at most ${most} bytes.`,
    );
    if (most > 0) expect((await api.ask(method, path, { body: 'x'.repeat(most) })).status).toBe(400);
  });
});
