import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { startApi, writeToken } from '../support/agent/fake-api.ts';
import { connectRaw, get, patience, type RawClient } from '../support/agent/raw-client.ts';
import { selfSigned } from '../support/agent/self-signed.ts';
import { begunJob } from '../support/flux/fake-kvs.ts';

const few = { connections: 20, stallMs: 10_000, handshakeMs: 10_000 };
const authorization = `Authorization: Bearer ${writeToken}\r\n`;

const connect = async (port: number, count: number): Promise<RawClient[]> => {
  const clients: RawClient[] = [];
  for (let n = 0; n < count; n++) clients.push(await connectRaw(port));
  return clients;
};
const closeAll = (clients: readonly RawClient[]) => {
  for (const { socket } of clients) socket.destroy();
};

describe('connections of the API', () => {
  it('that send no request do not block others: the oldest give way', async () => {
    using api = await startApi({}, { connections: few });
    const idle = await connect(api.port, 30);
    const last = await connectRaw(api.port);
    last.send('/v1/openapi.json');
    await expect.poll(last.statuses, patience).toEqual([200]);
    await expect.poll(() => idle.filter(({ closed }) => closed()).length, patience).toBe(11);
    closeAll([...idle, last]);
  });

  it('leave a stream that is open alone', async () => {
    const silent = async function* () {
      await delay(60_000, undefined, { ref: false });
      yield {};
    };
    using api = await startApi(
      { ...begunJob(), stream: { 'job-info.eventlog-watch': silent } },
      { connections: few },
    );
    const stream = await connectRaw(api.port);
    stream.send('/v1/jobs/f1/events', `${authorization}Accept: text/event-stream\r\n`);
    await expect.poll(stream.statuses, patience).toEqual([200]);
    // Requests without an end, and without a token, take all places: only the oldest of them give way.
    const busy = await connect(api.port, 30);
    const head =
      'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n';
    for (const { socket } of busy) socket.write(head);
    const last = await connectRaw(api.port);
    last.send('/v1/openapi.json');
    await expect.poll(last.statuses, patience).toEqual([200]);
    expect(stream.closed()).toBe(false);
    closeAll([...busy, last, stream]);
  });

  it('have one request at a time: what is sent with the first is not done', async () => {
    using api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: 42 }) } });
    const one = await connectRaw(api.port);
    const body = '{"command":["true"]}';
    const submission = `POST /v1/jobs HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    one.socket.write(submission.repeat(100));
    await expect.poll(one.closed, patience).toBe(true);
    expect(api.asked.filter(([topic]) => topic === 'job-ingest.submit').length).toBeLessThanOrEqual(1);
  });

  it('that read nothing of what they asked for, again and again, are cut off', async () => {
    using api = await startApi();
    const clients = await connect(api.port, 40);
    for (const { socket } of clients) socket.write(get('/v1/openapi.json').repeat(3000));
    await expect.poll(() => clients.every(({ closed }) => closed()), patience).toBe(true);
  });

  it('that do not read a long answer are cut off', async () => {
    const jobspec = JSON.stringify('x'.repeat(16 * 1024 * 1024));
    using api = await startApi(
      { rpc: { 'job-info.lookup': () => ({ jobspec }) } },
      // Long enough for a reader on a busy machine.
      { connections: { ...few, stallMs: 3000 } },
    );
    const one = await connectRaw(api.port);
    one.socket.pause();
    one.send('/v1/jobs/f1/jobspec', authorization);
    const other = await connectRaw(api.port);
    other.send('/v1/jobs/f1/jobspec', authorization);
    await expect.poll(() => other.text().length, patience).toBeGreaterThan(jobspec.length);
    // Connections that ask nothing end by the same limit: it has passed three times.
    for (let times = 0; times < 3; times++) {
      const idle = await connectRaw(api.port);
      await once(idle.socket, 'close');
    }
    const closed = once(one.socket, 'close');
    one.socket.resume();
    await closed;
    expect(one.text().length).toBeLessThan(jobspec.length);
    other.socket.destroy();
  });

  it('with TLS have so much time for the handshake', async () => {
    using api = await startApi({}, { tls: selfSigned(), connections: { ...few, handshakeMs: 100 } });
    const silent = await connect(api.port, 5);
    await expect.poll(() => silent.every(({ closed }) => closed()), patience).toBe(true);
  });

  it('have so many handshakes at once: the oldest give way, and no client that has finished its own', async () => {
    using api = await startApi({}, { tls: selfSigned(), connections: { ...few, handshakes: 5 } });
    const known = tlsConnect({ port: api.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(known, 'secureConnect');
    const silent = await connect(api.port, 12);
    await expect.poll(() => silent.filter(({ closed }) => closed()).length, patience).toBe(7);
    known.write('GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(known, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
    known.destroy();
    closeAll(silent);
  });
});
