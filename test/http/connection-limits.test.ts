import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ConnectionLimits,
  type Hold,
  limitConnections,
  type Respond,
} from '../../agent/http/connection-limits.ts';
import { endWith } from '../../agent/http/end-with.ts';
import { connectRaw, get, patience, type RawClient } from '../support/agent/raw-client.ts';
import { selfSigned } from '../support/agent/self-signed.ts';

const limits: ConnectionLimits = { connections: 4, perAddress: 2, stallMs: 60_000 };
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** A server that answers at once, unless `respond` says otherwise. */
async function serve(
  some: Partial<ConnectionLimits> = {},
  respond: Respond = (_, response) => response.end('x'),
  server = createServer(),
) {
  limitConnections(server, { ...limits, ...some }, respond);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  undo.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const client = async (from?: string) => {
    const accepted = once(server, 'connection');
    const raw = await connectRaw(port, from);
    await accepted;
    undo.push(() => raw.socket.destroy());
    return raw;
  };
  const asked = async (from?: string) => {
    const raw = await client(from);
    raw.send('/');
    await expect.poll(raw.statuses, patience).toEqual([200]);
    return raw;
  };
  return { server, port, client, asked };
}

const megabytes = Buffer.alloc(32 * 1024 * 1024);

/** With a pause of 300 ms before each eighth of it. The kernel's buffers hold less than that, so that each shows at the other end. */
async function readSlowly(socket: Socket, bytes: number): Promise<void> {
  let [read, until] = [0, 0];
  socket.on('data', (chunk) => {
    read += chunk.length;
    if (read >= until) socket.pause();
  });
  const closed = once(socket, 'close').then(() => Promise.reject(new Error(`closed after ${read} bytes`)));
  closed.catch(() => undefined);
  socket.pause();
  while (read < bytes) {
    await delay(300);
    until = Math.min(bytes, until + bytes / 8);
    const enough = once(socket, 'pause');
    socket.resume();
    await Promise.race([enough, closed]);
  }
}

describe('connections of a server', () => {
  it('are accepted however many there are: the one idle for longest is closed', async () => {
    const { client, asked } = await serve();
    const first = await client('127.0.0.2');
    const others = [await client('127.0.0.3'), await client('127.0.0.4'), await client('127.0.0.5')];
    await asked('127.0.0.6');
    await expect.poll(first.closed, patience).toBe(true);
    expect(others.map(({ closed }) => closed())).toEqual([false, false, false]);
  });

  it('are at most so many from one address, which closes its own', async () => {
    const { client, asked } = await serve();
    const other = await client('127.0.0.2');
    const [first, second] = [await client('127.0.0.3'), await client('127.0.0.3')];
    await asked('127.0.0.3');
    await expect.poll(first.closed, patience).toBe(true);
    expect([other.closed(), second.closed()]).toEqual([false, false]);
  });

  it('may all be taken by requests without an answer: a new client is answered all the same', async () => {
    const { client, asked } = await serve({}, (request, response) => {
      if (request.url === '/') response.end('x');
    });
    const waiting: RawClient[] = [];
    for (const n of [2, 3, 4, 5]) waiting.push(await client(`127.0.0.${n}`));
    for (const each of waiting) each.send('/never');
    await asked('127.0.0.6');
    await expect
      .poll(() => waiting.map(({ closed }) => closed()), patience)
      .toEqual([true, false, false, false]);
  });

  it('give way to a new client also where others come in the same moment, before its request is read', async () => {
    const { client, port } = await serve({}, (request, response) => {
      if (request.url === '/') response.end('x');
    });
    for (const n of [2, 3, 4, 5]) (await client(`127.0.0.${n}`)).send('/never');
    const newcomers = await Promise.all([6, 7].map((n) => connectRaw(port, `127.0.0.${n}`)));
    for (const { socket } of newcomers) undo.push(() => socket.destroy());
    newcomers[0]?.send('/');
    await expect.poll(() => newcomers[0]?.statuses(), patience).toEqual([200]);
  });

  it('that are closed by their clients free their places', async () => {
    const { client, server } = await serve();
    const kept = await client('127.0.0.2');
    for (let count = 0; count < 20; count++) {
      const passing = await client(`127.0.0.${10 + count}`);
      passing.socket.destroy();
      await expect
        .poll(() => new Promise((resolve) => server.getConnections((_, n) => resolve(n))), patience)
        .toBe(1);
    }
    expect(kept.closed()).toBe(false);
  });
});

describe('a connection', () => {
  it('takes one request after the other', async () => {
    const { client } = await serve();
    const one = await client();
    for (const count of [1, 2, 3]) {
      one.send('/');
      await expect.poll(one.statuses, patience).toHaveLength(count);
    }
    expect(one.closed()).toBe(false);
  });

  it('with a second request before the first is answered ends, and nothing more of it is dispatched', async () => {
    let dispatched = 0;
    const { server, client } = await serve({}, () => undefined);
    server.prependListener('request', () => dispatched++);
    const one = await client();
    one.socket.write(get('/').repeat(3000));
    await expect.poll(one.closed, patience).toBe(true);
    expect(dispatched).toBe(2);
  });

  it('ends also where the second request comes later than the first', async () => {
    const answers: ServerResponse[] = [];
    const { client } = await serve({}, (_, response) => void answers.push(response));
    const one = await client();
    one.send('/');
    await expect.poll(() => answers.length, patience).toBe(1);
    one.send('/');
    await expect.poll(one.closed, patience).toBe(true);
    expect(answers).toHaveLength(1);
  });

  it('whose client does not read the answer ends', async () => {
    const { server, client } = await serve({ stallMs: 1000 }, (_, response) => response.end(megabytes));
    const one = await client();
    one.socket.pause();
    const closed = once(server, 'request').then(([, response]) => once(response, 'close'));
    one.send('/');
    await closed;
  });

  it('whose client reads slowly ends when its time is over', async () => {
    const { server, client } = await serve({ answerMs: 300 }, (_, response) => response.end(megabytes));
    const one = await client();
    one.socket.pause();
    const closed = once(server, 'request').then(([, response]) => once(response, 'close'));
    one.send('/');
    const sip = setInterval(() => one.socket.read(1024), 10);
    undo.push(() => clearInterval(sip));
    await closed;
  });

  it('whose client reads slowly is left alone where only standstill is limited', async () => {
    const { client } = await serve({ stallMs: 1000 }, (_, response) => endWith(response, megabytes));
    const one = await client();
    one.socket.removeAllListeners('data');
    one.send('/');
    await readSlowly(one.socket, megabytes.length);
  });

  it('waits for an answer that is not there yet, however long', async () => {
    const { server, client } = await serve({ stallMs: 1000 }, (request, response) => {
      // As often as nothing has gone either way.
      request.socket.once('timeout', () => response.end('x'));
    });
    const one = await client();
    const timedOut = once(server, 'timeout');
    one.send('/');
    await timedOut;
    await expect.poll(one.statuses, patience).toEqual([200]);
  });

  it('that asks nothing ends', async () => {
    const { client } = await serve({ stallMs: 20 });
    const one = await client();
    await expect.poll(one.closed, patience).toBe(true);
  });
});

describe('a held connection', () => {
  const holding = async (some: Partial<ConnectionLimits> = {}) => {
    const held: ServerResponse[] = [];
    const respond = (url: string | undefined, response: ServerResponse, hold: Hold) => {
      if (url !== '/held') return void response.end('x');
      hold();
      response.write('first\n');
      held.push(response);
    };
    const served = await serve(some, (request, response, hold) => respond(request.url, response, hold));
    const open = async (from: string) => {
      const one = await served.client(from);
      const count = held.length;
      one.send('/held');
      await expect.poll(() => held.length, patience).toBe(count + 1);
      return one;
    };
    return { ...served, held, open };
  };

  it('takes no place, nor does it give way', async () => {
    const { open, asked, client } = await holding();
    const links = [];
    for (let n = 0; n < 10; n++) links.push(await open('127.0.0.2'));
    const idle = await client('127.0.0.3');
    for (const n of [4, 5, 6]) await asked(`127.0.0.${n}`);
    expect([...links, idle].map(({ closed }) => closed())).not.toContain(true);
  });

  it('has no time limit', async () => {
    const { server, open, held, asked } = await holding({ stallMs: 1000, answerMs: 1000 });
    const one = await open('127.0.0.2');
    // The others have: theirs run out while this one stays.
    const other = await asked('127.0.0.3');
    await once(server, 'timeout');
    await expect.poll(other.closed, patience).toBe(true);
    held[0]?.write('second\n');
    await expect.poll(one.text, patience).toContain('second');
  });

  it('is counted again when its answer has ended', async () => {
    const { open, held, client } = await holding();
    const one = await open('127.0.0.2');
    held[0]?.end();
    await expect.poll(one.text, patience).toContain('\r\n0\r\n');
    await client('127.0.0.2');
    await client('127.0.0.2');
    await expect.poll(one.closed, patience).toBe(true);
  });

  it('ends with another request', async () => {
    const { open } = await holding();
    const one = await open('127.0.0.2');
    one.send('/held');
    await expect.poll(one.closed, patience).toBe(true);
  });
});

describe('with TLS', () => {
  const { key, cert } = selfSigned();
  const serveTls = (some: Partial<ConnectionLimits>, respond?: Respond) =>
    serve(some, respond, createTlsServer({ key, cert }));
  const secure = async (port: number, localAddress: string) => {
    const own = createConnection({ port, host: '127.0.0.1', localAddress });
    const socket = connect({ socket: own, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    undo.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };

  it('a connection without a handshake has a place, and gives way', async () => {
    const { port, client } = await serveTls({});
    const silent = await client('127.0.0.2');
    const second = await secure(port, '127.0.0.2');
    const third = await secure(port, '127.0.0.2');
    await expect.poll(silent.closed, patience).toBe(true);
    for (const socket of [second, third]) {
      socket.write(get('/'));
      expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 200 /);
    }
  });

  it('pipelining ends a connection', async () => {
    let dispatched = 0;
    const { port } = await serveTls({}, () => void dispatched++);
    const socket = await secure(port, '127.0.0.2');
    const closed = once(socket, 'close');
    socket.resume().write(get('/').repeat(300));
    await closed;
    expect(dispatched).toBe(1);
  });

  it('an answer that is not read ends its connection, one that is read slowly does not', async () => {
    const { port, server } = await serveTls({ stallMs: 1000 }, (_, response) => endWith(response, megabytes));
    const unread = await secure(port, '127.0.0.2');
    const closed = once(server, 'request').then(([, response]) => once(response, 'close'));
    unread.pause().write(get('/'));
    await closed;
    const slow = await secure(port, '127.0.0.3');
    slow.write(get('/'));
    await readSlowly(slow, megabytes.length);
  });
});

it('a connection that is reset before it is accepted costs nothing', async () => {
  const { port, asked } = await serve();
  for (let count = 0; count < 50; count++) {
    const socket = createConnection({ port, host: '127.0.0.1' }).on('error', () => undefined);
    socket.once('connect', () => socket.resetAndDestroy());
  }
  await asked('127.0.0.2');
});
