import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../agent/flux/client.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { encodeMessage, type Request } from '../../agent/flux/flux-message.ts';
import { frame, longestMessage } from '../../agent/flux/framing.ts';
import { decodeJson } from '../../agent/flux/payload.ts';
import { encodeRaw } from '../support/flux/encode-message.ts';
import { type FakeConnection, responseTo, startFakeBroker } from '../support/flux/fake-broker.ts';

const mebibyte = 1024 * 1024;

/** Answers each request with its own payload. */
const echo = (request: Request, { respond }: FakeConnection) =>
  respond(request, decodeJson(request.payload) as Record<string, never>);

/** System calls that write, of this thread until now (proc(5), /proc/PID/io). */
const writesOfThread = (): number =>
  Number(/syscw: (\d+)/.exec(readFileSync('/proc/thread-self/io', 'utf8'))?.[1]);

const failureOf = (promise: Promise<unknown>): Promise<FluxError> =>
  promise.then(
    () => new FluxError(0, { text: 'no failure' }),
    (error) => error,
  );

describe('a connection', () => {
  it('is admitted, asks and is answered', async () => {
    await using broker = await startFakeBroker({ onRequest: echo });
    using client = await connectFlux(broker.path);
    expect(await client.rpc('a.echo', { n: 1 })).toEqual({ n: 1 });
    expect(await Promise.all([1, 2, 3].map((n) => client.rpc('a.echo', { n })))).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
  });

  it('sends the requests of one turn of the event loop with one write', async () => {
    const { promise: all, resolve } = Promise.withResolvers<void>();
    await using broker = await startFakeBroker({
      onRequest: (_, { requests }) => {
        if (requests.length === 100) resolve();
      },
    });
    using client = await connectFlux(broker.path);
    const before = writesOfThread();
    for (let n = 0; n < 100; n++) client.rpc('a.silent', { n }).catch(() => undefined);
    await all;
    // A few are the event loop's own.
    expect(writesOfThread() - before).toBeLessThan(20);
    expect(broker.connections[0]?.requests.map(({ payload }) => decodeJson(payload))).toEqual(
      Array.from({ length: 100 }, (_, n) => ({ n })),
    );
  });

  it('survives a response over the limit: only its request fails', async () => {
    await using broker = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic !== 'a.long') return echo(request, connection);
        const { type, matchtag, flags } = { ...responseTo(request, {}), matchtag: request.matchtag };
        const end = encodeRaw({ type, flags, second: matchtag, parts: [] });
        const header = frame(end).subarray(0, 8);
        header.writeUInt32BE(longestMessage + mebibyte, 4);
        connection.socket.write(header);
        for (let left = longestMessage + mebibyte - end.length; left > 0; left -= mebibyte)
          connection.socket.write(Buffer.alloc(Math.min(left, mebibyte)));
        connection.socket.write(end);
      },
    });
    using client = await connectFlux(broker.path);
    const [long, short] = [failureOf(client.rpc('a.long', {})), client.rpc('a.echo', { n: 1 })];
    expect(await long).toMatchObject({ name: 'FluxError', errno: 'EMSGSIZE' });
    expect(await short).toEqual({ n: 1 });
    expect(await client.rpc('a.echo', { n: 2 })).toEqual({ n: 2 });
  });

  it('carries bytes for JSON', async () => {
    await using broker = await startFakeBroker({
      onRequest: (request, { send, respond }) =>
        request.payload?.length === 20
          ? send(responseTo(request, { payload: Buffer.concat([request.payload, Buffer.of(0, 255)]) }))
          : respond(request, undefined, Errno.noEntry),
    });
    using client = await connectFlux(broker.path);
    expect(await client.rpcRaw('a.raw', Buffer.alloc(20, 7))).toEqual(
      Buffer.of(...Array(20).fill(7), 0, 255),
    );
    expect(await failureOf(client.rpcRaw('a.raw', Buffer.alloc(3)))).toMatchObject({ errno: 'ENOENT' });
  });

  it('is refused by an errno', async () => {
    await using broker = await startFakeBroker({ admission: 1 });
    expect(await failureOf(connectFlux(broker.path))).toMatchObject({ name: 'FluxError', errno: 'EPERM' });
  });

  it.each([
    ['there is no socket', '/no/such/socket', 'ENOENT'],
    ['the path is no socket', '/etc/hosts', 'ECONNREFUSED'],
    ['the path is longer than the system takes', `/tmp/${'x'.repeat(200)}`, 'EINVAL'],
  ])("fails with the system's own error where %s", async (_, path, errno) => {
    expect(await failureOf(connectFlux(path))).toMatchObject({ name: 'FluxError', errno });
  });

  it('waits its turn where more connect than the broker has taken yet', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flux-pod-queue-'));
    const path = join(directory, 'local');
    const program = `require('node:net').createServer((socket) => socket.on('error', () => {}).write(Buffer.of(0)))
      .listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('listens'))`;
    const broker = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const others: Socket[] = [];
    try {
      await once(broker.stdout, 'data');
      broker.kill('SIGSTOP');
      const isFull = () =>
        new Promise<boolean>((resolve) => {
          const socket = createConnection(path).once('connect', () => resolve(false));
          socket.once('error', () => resolve(true));
          others.push(socket);
        });
      while (!(await isFull())) expect(others.length).toBeLessThan(1000);
      const connecting = connectFlux(path);
      // It is refused at once, and comes again.
      await delay(50);
      broker.kill('SIGCONT');
      using client = await connecting;
      expect(client.closed).toBeInstanceOf(Promise);
    } finally {
      for (const socket of others) socket.destroy();
      broker.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('fails when the broker closes without a word', async () => {
    await using broker = await startFakeBroker({
      admission: undefined,
      onConnection: ({ socket }) => socket.end(),
    });
    expect(await failureOf(connectFlux(broker.path))).toMatchObject({ errno: 'ECONNRESET' });
  });

  it('to a broker that hangs is given up when that is asked for', async () => {
    await using broker = await startFakeBroker({ admission: undefined });
    const signal = AbortSignal.timeout(20);
    expect(await failureOf(connectFlux(broker.path, { signal }))).toMatchObject({ name: 'TimeoutError' });
    expect(await failureOf(connectFlux(broker.path, { signal }))).toMatchObject({ name: 'TimeoutError' });
  });

  it('takes a message in pieces, one of which came with the admission', async () => {
    await using broker = await startFakeBroker({
      admission: undefined,
      onConnection: ({ socket }) => socket.write(Buffer.of(0, 0x12, 0)),
      onRequest: async (request, { socket }) => {
        const bytes = frame(encodeMessage(responseTo(request, { payload: { long: 'x'.repeat(300) } })));
        for (let at = 2; at < bytes.length; at += 7) {
          socket.write(bytes.subarray(at, at + 7));
          await delay(0);
        }
      },
    });
    using client = await connectFlux(broker.path);
    expect(await client.rpc('a.b')).toEqual({ long: 'x'.repeat(300) });
  });

  it('carries messages of megabytes both ways', async () => {
    await using broker = await startFakeBroker({ onRequest: echo });
    using client = await connectFlux(broker.path);
    const payload = { long: 'x'.repeat(5_000_000) };
    expect(await client.rpc('a.echo', payload)).toEqual(payload);
  });

  it('whose broker sends garbage is closed, and all pending requests fail with the reason', async () => {
    await using broker = await startFakeBroker({
      onRequest: (_, { socket }) => socket.write('HTTP/1.1 400 Bad Request\r\n'),
    });
    using client = await connectFlux(broker.path);
    const failure = await failureOf(client.rpc('a.b'));
    expect(failure).toMatchObject({ name: 'FluxError', errnum: Errno.protocol });
    expect(failure.message).toBe('a frame does not begin with the magic word');
    expect(await client.closed).toBe(failure);
  });

  it('whose broker sends garbage right after the admission is closed', async () => {
    await using broker = await startFakeBroker({
      admission: undefined,
      onConnection: ({ socket }) => socket.write(Buffer.from('\0garbage, and no frame')),
    });
    using client = await connectFlux(broker.path);
    expect(await client.closed).toMatchObject({ errnum: Errno.protocol });
  });

  it('whose frame holds no message is closed', async () => {
    await using broker = await startFakeBroker({
      onRequest: (_, { socket }) => socket.write(frame(Buffer.from('no message'))),
    });
    using client = await connectFlux(broker.path);
    expect(await failureOf(client.rpc('a.b'))).toMatchObject({ errnum: Errno.protocol });
  });

  it('that ends in the middle of a message fails all pending requests', async () => {
    await using broker = await startFakeBroker({
      onRequest: (request, { socket }) =>
        socket.end(frame(encodeMessage(responseTo(request, { payload: {} }))).subarray(0, 20)),
    });
    using client = await connectFlux(broker.path);
    const [rpc, stream] = [client.rpc('a.b'), client.stream('a.watch').next()].map(failureOf);
    expect(await rpc).toMatchObject({ errno: 'ECONNRESET', message: 'the broker has closed the connection' });
    expect(await stream).toBe(await rpc);
    expect(await failureOf(client.rpc('a.b'))).toBe(await rpc);
  });

  it('that is closed here fails all pending requests, and is closed at the broker', async () => {
    await using broker = await startFakeBroker();
    const client = await connectFlux(broker.path);
    const rpc = failureOf(client.rpc('a.b'));
    await expect.poll(() => broker.connections[0]?.requests.length).toBe(1);
    const socket = broker.connections[0]?.socket ?? expect.fail('there is no connection');
    const isClosed = once(socket, 'close');
    client.close();
    expect(await rpc).toMatchObject({ errno: 'ECANCELED' });
    expect(await client.closed).toMatchObject({ errno: 'ECANCELED' });
    await isClosed;
  });

  it('that has closed is replaced by a new one, each time', async () => {
    await using broker = await startFakeBroker({ onRequest: echo });
    for (let time = 0; time < 50; time++) {
      using client = await connectFlux(broker.path);
      expect(await client.rpc('a.echo', { time })).toEqual({ time });
      broker.connections.at(-1)?.socket.destroy();
      expect(await client.closed).toMatchObject({ errno: 'ECONNRESET' });
    }
  });

  it('makes a broker wait that sends more than its reader takes', async () => {
    const total = 50_000;
    let written = 0;
    await using broker = await startFakeBroker({
      onRequest: (request, { socket }) => {
        const bytes = frame(encodeMessage(responseTo(request, { payload: { text: 'x'.repeat(100) } })));
        const last = frame(encodeMessage(responseTo(request, { errnum: Errno.endOfStream })));
        const more = () => {
          while (written < total) {
            written++;
            if (!socket.write(bytes)) return socket.once('drain', more);
          }
          return socket.write(last);
        };
        more();
      },
    });
    using client = await connectFlux(broker.path);
    const stream = client.stream('a.watch');
    await stream.next();
    await delay(200);
    const ahead = written;
    expect(ahead).toBeLessThan(total / 10);
    let taken = 1;
    for await (const _ of stream) taken++;
    expect(taken).toBe(total);
  });

  it('hears events until it stops listening', async () => {
    await using broker = await startFakeBroker({
      onRequest: (request, connection) => {
        connection.respond(request);
        const common = { flags: 0, userid: 1, rolemask: 1, type: 4, sequence: 1 } as const;
        connection.send({ ...common, topic: 'heartbeat.pulse' });
      },
    });
    using client = await connectFlux(broker.path);
    const heard: string[] = [];
    const end = client.subscribe('heartbeat', (topic) => heard.push(topic));
    await client.rpc('a.b');
    end();
    await client.rpc('a.b');
    expect(heard.slice(0, 2)).toEqual(['heartbeat.pulse', 'heartbeat.pulse']);
    expect(broker.connections[0]?.requests.map(({ topic }) => topic)).toEqual([
      'event.subscribe',
      'a.b',
      'event.unsubscribe',
      'a.b',
    ]);
  });
});
