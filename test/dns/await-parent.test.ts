import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPort } from '../../agent/address.ts';
import { type AwaitOptions, awaitParent } from '../../agent/dns/await-parent.ts';
import { createResolver } from '../../agent/dns/query/resolver.ts';
import { isSame, type WaitReason } from '../../agent/dns/wait/wait-reason.ts';
import { type Nameserver, startNameserver } from '../../entrypoint/demo/nameserver.ts';

const name = 'mc-0.flux-service.default.svc.cluster.local';
const never = new AbortController().signal;

/** Seconds for which CoreDNS caches a denial by default. */
const negativeTtl = 30;

/** A name server; `onQuery` is told how many questions have come before each one. */
async function nameserver(onQuery?: (server: Nameserver, before: number) => void, ttl = negativeTtl) {
  const server: Nameserver = await startNameserver({
    address: '127.0.0.1',
    negativeTtl: ttl,
    now: () => {
      onQuery?.(server, server.queries.length);
      return Date.now();
    },
  });
  onTestFinished(() => server.close());
  return server;
}

/** Somebody who accepts connections, as the parent's broker does. */
async function listen(address = '127.0.0.1', port = 0) {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(port, address);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const bound = server.address();
  return { server, port: typeof bound === 'object' && bound ? bound.port : 0 };
}

/** A port that refuses connections, for listen() to take later. */
async function closedPort(address = '127.0.0.1') {
  const { server, port } = await listen(address);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const optionsFor = (server: Nameserver, more: Partial<AwaitOptions> = {}): AwaitOptions => ({
  nameservers: [{ host: server.address, port: server.port }],
  family: 4,
  signal: never,
  ...more,
});

/** Calls back for each new wait reason, and keeps them as what is waited for and what was seen. */
function onNewReason(call: (reason: WaitReason) => void = () => {}) {
  const told: WaitReason[] = [];
  const onReason = (reason: WaitReason) => {
    if (isSame(reason, told.at(-1))) return;
    told.push(reason);
    call(reason);
  };
  return { told, onReason };
}

const askedTypes = (server: Nameserver) =>
  server.queries.map(({ type }) => (/^UNKNOWN/.test(type) ? 'any' : type));

describe('a name that is there', () => {
  it('costs two questions: whether it exists, and its address', async () => {
    const { port } = await listen();
    const server = await nameserver();
    server.publish(name, '127.0.0.1');
    expect(await awaitParent({ host: name, port }, optionsFor(server))).toMatchObject({
      host: '127.0.0.1',
      port,
    });
    expect(askedTypes(server)).toEqual(['any', 'A']);
  });

  it('leads to an IPv6 address where the pod has one, and IPv4 is not asked for', async () => {
    const { port } = await listen('::1');
    const server = await nameserver();
    for (const address of ['127.0.0.1', '::1']) server.publish(name, address);
    const { host } = await awaitParent({ host: name, port }, optionsFor(server, { family: 6 }));
    expect(new URL(`http://[${host}]`).hostname).toBe('[::1]');
    expect(askedTypes(server)).toEqual(['any', 'AAAA']);
  });

  it('with several addresses leads to the one that lives', async () => {
    const { port } = await listen('127.0.0.1');
    const server = await nameserver();
    for (const last of [9, 8, 1, 7]) server.publish(name, `127.0.0.${last}`);
    expect(await awaitParent({ host: name, port }, optionsFor(server))).toMatchObject({
      host: '127.0.0.1',
      port,
    });
  });

  it('whose address refuses is tried again until that accepts, and not asked for meanwhile', async () => {
    const port = await closedPort();
    const server = await nameserver();
    server.publish(name, '127.0.0.1');
    const { told, onReason } = onNewReason(() => void listen('127.0.0.1', port));
    const found = await awaitParent({ host: name, port }, optionsFor(server, { onReason }));
    expect(found).toMatchObject({ host: '127.0.0.1', port, questions: 2 });
    expect(told).toMatchObject([
      {
        waitingFor: 'connection',
        seen: 'refused',
        addresses: [{ address: '127.0.0.1', seen: 'refused' }],
        questions: 2,
        connections: 1,
      },
    ]);
  });

  it('whose pod is replaced leads to the new address', async () => {
    const { port } = await listen('127.0.0.1');
    const server = await nameserver();
    server.publish(name, '127.0.0.9');
    const { onReason } = onNewReason(() => {
      server.publish(name, '127.0.0.1');
      server.withdraw(name, '127.0.0.9');
    });
    expect(await awaitParent({ host: name, port }, optionsFor(server, { onReason }))).toMatchObject({
      host: '127.0.0.1',
      port,
    });
  });
});

describe('a name that is not there yet', () => {
  it('is asked for by unassigned types only, so that its address is found at once when it is there', async () => {
    const { port } = await listen();
    const server = await nameserver((self, before) => {
      if (before === 5) self.publish(name, '127.0.0.1');
    });
    const found = await awaitParent({ host: name, port }, optionsFor(server));
    expect(found).toMatchObject({ host: '127.0.0.1', port });

    const published = server.queries.slice(5);
    expect(server.queries.slice(0, 5).map(({ rcode }) => rcode)).toEqual(Array(5).fill('NXDOMAIN'));
    expect(askedTypes(server).lastIndexOf('any')).toBe(server.queries.length - 2);
    expect(published.at(-1)).toMatchObject({ type: 'A', rcode: 'NOERROR' });
    // One more denial is that of a type that happens to have been asked before.
    expect(published.length).toBeLessThanOrEqual(3);
  });

  it('has a negative answer for 30 s where its address was asked for before: the unassigned types are worth it', async () => {
    const server = await nameserver();
    const options = optionsFor(server);
    const { ask } = createResolver(options.nameservers);
    await ask({ name, type: 'A' }, never);
    server.publish(name, '127.0.0.1');
    expect((await ask({ name, type: 'A' }, never))?.rcode).toBe('NXDOMAIN');
    expect((await ask({ name, type: 'UNKNOWN_65280' }, never))?.rcode).toBe('NOERROR');
  });
});

describe('what stands in the way', () => {
  it('changes from the name to the connection', async () => {
    const port = await closedPort();
    const server = await nameserver((self, before) => {
      if (before === 3) self.publish(name, '::1');
    }, 0);
    const { told, onReason } = onNewReason((reason) => {
      if (reason.waitingFor === 'address') server.publish(name, '127.0.0.1');
      if (reason.waitingFor === 'connection') void listen('127.0.0.1', port);
    });
    await awaitParent({ host: name, port }, optionsFor(server, { onReason }));
    expect(told.map(({ waitingFor, seen }) => [waitingFor, seen])).toEqual([
      ['name', 'no such name'],
      ['address', 'no address of this family'],
      ['connection', 'refused'],
    ]);
  });

  it('may be the name server itself, until it answers', async () => {
    const { port } = await listen();
    const early = await startNameserver({ address: '127.0.0.1' });
    await early.close();
    const { told, onReason } = onNewReason(() => {
      void startNameserver({ address: '127.0.0.1', port: early.port }).then((server) => {
        onTestFinished(() => server.close());
        server.publish(name, '127.0.0.1');
      });
    });
    await awaitParent({ host: name, port }, optionsFor(early, { onReason }));
    expect(told[0]).toMatchObject({ waitingFor: 'name server', seen: 'no answer', addresses: [] });
  });

  it('is, of several addresses, that one refused, with the outcome of each', async () => {
    const port = await closedPort();
    const server = await nameserver();
    // Nobody can connect to a broadcast address.
    for (const address of ['127.0.0.1', '255.255.255.255']) server.publish(name, address);
    const stop = new AbortController();
    const { told, onReason } = onNewReason(({ addresses }) => addresses.length > 1 && stop.abort());
    const wait = awaitParent({ host: name, port }, optionsFor(server, { onReason, signal: stop.signal }));
    await wait.catch(() => undefined);
    expect(told.at(-1)).toMatchObject({
      waitingFor: 'connection',
      seen: 'refused',
      addresses: [
        { address: '127.0.0.1', seen: 'refused' },
        { address: '255.255.255.255', seen: expect.stringMatching(/^E[A-Z]+$/) },
      ],
    });
  });
});

describe('an address in place of a name', () => {
  it.each(['127.0.0.1', '::1'])('%s is connected to, and no name server is asked', async (host) => {
    const port = await closedPort(host);
    const server = await nameserver();
    const { onReason } = onNewReason(() => void listen(host, port));
    const found = await awaitParent({ host, port }, optionsFor(server, { onReason }));
    expect(found).toMatchObject({ host, port, questions: 0 });
    expect(server.queries).toEqual([]);
  });

  it('needs no name server', async () => {
    const { port } = await listen();
    const target = { host: '127.0.0.1', port };
    expect(await awaitParent(target, { nameservers: [], family: 4, signal: never })).toMatchObject(target);
  });
});

describe('the end of the wait', () => {
  const reason = new Error('the pod stops');

  it.each<[string, (server: Nameserver) => Promise<HostPort>, WaitReason['waitingFor']]>([
    ['the name', async () => ({ host: name, port: 1 }), 'name'],
    [
      'the address',
      async (server) => {
        server.publish(name, '::1');
        return { host: name, port: 1 };
      },
      'address',
    ],
    ['the connection', async () => ({ host: '127.0.0.1', port: await closedPort() }), 'connection'],
    [
      'the name server',
      async (server) => {
        await server.close();
        return { host: name, port: 1 };
      },
      'name server',
    ],
  ])('while %s is waited for throws its reason', async (_, prepare, waitingFor) => {
    const server = await nameserver();
    const target = await prepare(server);
    const stop = new AbortController();
    const told: string[] = [];
    const onReason = (waits: WaitReason) => {
      told.push(waits.waitingFor);
      stop.abort(reason);
    };
    const wait = awaitParent(target, optionsFor(server, { onReason, signal: stop.signal }));
    await expect(wait).rejects.toBe(reason);
    expect(told).toEqual([waitingFor]);
  });

  it('in the middle of a question throws its reason', async () => {
    const stop = new AbortController();
    const server = await nameserver(() => stop.abort(reason));
    const wait = awaitParent({ host: name, port: 1 }, optionsFor(server, { signal: stop.signal }));
    await expect(wait).rejects.toBe(reason);
  });

  it.each([name, '127.0.0.1'])('before it began throws its reason, without a query: %s', async (host) => {
    const server = await nameserver();
    const connections: unknown[] = [];
    const parent = await listen();
    parent.server.on('connection', (socket) => connections.push(socket));
    const wait = awaitParent(
      { host, port: parent.port },
      optionsFor(server, { signal: AbortSignal.abort(reason) }),
    );
    await expect(wait).rejects.toBe(reason);
    expect([server.queries, connections]).toEqual([[], []]);
  });
});
