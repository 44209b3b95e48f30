import { once } from 'node:events';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPort } from '../../agent/config/kinds.ts';
import { type AwaitOptions, awaitParent, type Obstacle, pauseMs } from '../../agent/dns/await-parent.ts';
import { ask } from '../../agent/dns/query.ts';
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

const askedTypes = (server: Nameserver) =>
  server.queries.map(({ type }) => (/^UNKNOWN/.test(type) ? 'any' : type));

describe('a name that is there', () => {
  it('costs two questions: whether it exists, and its address', async () => {
    const { port } = await listen();
    const server = await nameserver();
    server.publish(name, '127.0.0.1');
    expect(await awaitParent({ host: name, port }, optionsFor(server))).toEqual({ host: '127.0.0.1', port });
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
    expect(await awaitParent({ host: name, port }, optionsFor(server))).toEqual({ host: '127.0.0.1', port });
  });

  it('whose address refuses is asked for its address again, until that accepts', async () => {
    const port = await closedPort();
    const server = await nameserver();
    server.publish(name, '127.0.0.1');
    const obstacles: Obstacle[] = [];
    const onObstacle = (obstacle: Obstacle) => {
      obstacles.push(obstacle);
      void listen('127.0.0.1', port);
    };
    expect(await awaitParent({ host: name, port }, optionsFor(server, { onObstacle }))).toEqual({
      host: '127.0.0.1',
      port,
    });
    expect(obstacles).toEqual([{ waitingFor: 'connection', seen: 'refused', addresses: ['127.0.0.1'] }]);
    expect(askedTypes(server).slice(0, 3)).toEqual(['any', 'A', 'A']);
    expect(askedTypes(server).filter((type) => type === 'any')).toHaveLength(1);
  });

  it('whose pod is replaced leads to the new address', async () => {
    const { port } = await listen('127.0.0.1');
    const server = await nameserver();
    server.publish(name, '127.0.0.9');
    const onObstacle = () => {
      server.publish(name, '127.0.0.1');
      server.withdraw(name, '127.0.0.9');
    };
    expect(await awaitParent({ host: name, port }, optionsFor(server, { onObstacle }))).toEqual({
      host: '127.0.0.1',
      port,
    });
  });
});

describe('a name that is not there yet', () => {
  it('is asked for by throw-away types only, so that its address is found at once when it is there', async () => {
    const { port } = await listen();
    const server = await nameserver((self, before) => {
      if (before === 5) self.publish(name, '127.0.0.1');
    });
    const found = await awaitParent({ host: name, port }, optionsFor(server));
    expect(found).toEqual({ host: '127.0.0.1', port });

    const published = server.queries.slice(5);
    expect(server.queries.slice(0, 5).map(({ rcode }) => rcode)).toEqual(Array(5).fill('NXDOMAIN'));
    expect(askedTypes(server).lastIndexOf('any')).toBe(server.queries.length - 2);
    expect(published.at(-1)).toMatchObject({ type: 'A', rcode: 'NOERROR' });
    // One more denial is that of a type that happens to have been asked before.
    expect(published.length).toBeLessThanOrEqual(3);
  });

  it('would be denied for 30 s had its address been asked before: the throw-away types are worth it', async () => {
    const server = await nameserver();
    const options = optionsFor(server);
    await ask({ name, type: 'A' }, options.nameservers, never);
    server.publish(name, '127.0.0.1');
    expect((await ask({ name, type: 'A' }, options.nameservers, never))?.rcode).toBe('NXDOMAIN');
    expect((await ask({ name, type: 'UNKNOWN_65280' }, options.nameservers, never))?.rcode).toBe('NOERROR');
  });

  it('is asked for by types that are unassigned or private (RFC 6895), few of them twice', async () => {
    const stop = new AbortController();
    const server = await nameserver((_, before) => {
      if (before === 10) stop.abort();
    });
    await awaitParent({ host: name, port: 1 }, optionsFor(server, { signal: stop.signal })).catch(
      () => undefined,
    );
    const numbers = server.queries.map(({ type }) => Number(type.replace('UNKNOWN_', '')));
    expect(numbers.filter((number) => !(number >= 32_770 && number <= 65_534))).toEqual([]);
    expect(new Set(numbers).size).toBeGreaterThan(7);
  });

  it('does not make the types run short, however many pods wait for it', async () => {
    const pods = 63;
    const before = pods * 6;
    const { port } = await listen();
    const server = await nameserver((self, count) => {
      if (count === before) self.publish(name, '127.0.0.1');
    });
    await Promise.all(
      Array.from({ length: pods }, () => awaitParent({ host: name, port }, optionsFor(server))),
    );
    const late = server.queries.slice(before).filter(({ rcode }) => rcode === 'NXDOMAIN');
    // With the 255 private types alone it is some three for every pod, and a wait of up to 24 s.
    expect(late.length).toBeLessThan(pods / 4);
  });
});

describe('what stands in the way', () => {
  it('is told when it is met first, and again only after another obstacle', async () => {
    const port = await closedPort();
    const told: Obstacle[] = [];
    const server = await nameserver((self, before) => {
      if (before === 3) self.publish(name, '::1');
    }, 0);
    const onObstacle = (obstacle: Obstacle) => {
      told.push(obstacle);
      if (obstacle.waitingFor === 'address') server.publish(name, '127.0.0.1');
      if (obstacle.waitingFor === 'connection') void listen('127.0.0.1', port);
    };
    await awaitParent({ host: name, port }, optionsFor(server, { onObstacle }));
    expect(told).toEqual([
      { waitingFor: 'name', seen: 'NXDOMAIN' },
      { waitingFor: 'address', seen: 'no A record' },
      { waitingFor: 'connection', seen: 'refused', addresses: ['127.0.0.1'] },
    ]);
  });

  it('may be the name server itself, until it answers', async () => {
    const { port } = await listen();
    const early = await startNameserver({ address: '127.0.0.1' });
    await early.close();
    const options = optionsFor(early);
    const told: Obstacle[] = [];
    const onObstacle = (obstacle: Obstacle) => {
      told.push(obstacle);
      void startNameserver({ address: '127.0.0.1', port: early.port }).then((server) => {
        onTestFinished(() => server.close());
        server.publish(name, '127.0.0.1');
      });
    };
    await awaitParent({ host: name, port }, { ...options, onObstacle });
    expect(told[0]).toEqual({ waitingFor: 'name server', seen: 'no answer' });
  });

  it('names each reason of several addresses once', async () => {
    const port = await closedPort();
    const server = await nameserver();
    // Nobody can connect to a broadcast address.
    for (const address of ['127.0.0.1', '127.0.0.2', '255.255.255.255']) server.publish(name, address);
    const stop = new AbortController();
    const told: Obstacle[] = [];
    const onObstacle = (obstacle: Obstacle) => {
      told.push(obstacle);
      stop.abort();
    };
    await awaitParent({ host: name, port }, optionsFor(server, { onObstacle, signal: stop.signal })).catch(
      () => undefined,
    );
    expect(told).toEqual([
      {
        waitingFor: 'connection',
        seen: expect.stringMatching(/^refused, E[A-Z]+$/),
        addresses: ['127.0.0.1', '127.0.0.2', '255.255.255.255'],
      },
    ]);
  });
});

describe('an address in place of a name', () => {
  it.each(['127.0.0.1', '::1'])('%s is connected to, and no name server is asked', async (host) => {
    const port = await closedPort(host);
    const server = await nameserver();
    const onObstacle = () => void listen(host, port);
    expect(await awaitParent({ host, port }, optionsFor(server, { onObstacle }))).toEqual({ host, port });
    expect(server.queries).toEqual([]);
  });

  it('needs no name server', async () => {
    const { port } = await listen();
    const target = { host: '127.0.0.1', port };
    expect(await awaitParent(target, { nameservers: [], family: 4, signal: never })).toEqual(target);
  });
});

describe('the end of the wait', () => {
  const reason = new Error('the pod stops');

  it.each<[string, (server: Nameserver) => Promise<HostPort>, Obstacle['waitingFor']]>([
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
    const onObstacle = (obstacle: Obstacle) => {
      told.push(obstacle.waitingFor);
      stop.abort(reason);
    };
    const wait = awaitParent(target, optionsFor(server, { onObstacle, signal: stop.signal }));
    await expect(wait).rejects.toBe(reason);
    expect(told).toEqual([waitingFor]);
  });

  it('in the middle of a question throws its reason', async () => {
    const stop = new AbortController();
    const server = await nameserver(() => stop.abort(reason));
    const wait = awaitParent({ host: name, port: 1 }, optionsFor(server, { signal: stop.signal }));
    await expect(wait).rejects.toBe(reason);
  });

  it.each([name, '127.0.0.1'])('before it began throws its reason, and nobody is asked: %s', async (host) => {
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

describe('the pause before the next try', () => {
  it.each([
    [0, 37.5, 62.5],
    [1, 56.25, 93.75],
    [2, 84.375, 140.625],
    [5, 284.765625, 474.609375],
    [7, 640.72265625, 1067.87109375],
    [8, 750, 1250],
    [100, 750, 1250],
    [10_000, 750, 1250],
  ])('after try %i is from %f to %f ms', (attempt, least, most) => {
    expect([pauseMs(attempt, 0), pauseMs(attempt, 1)]).toEqual([least, most]);
  });

  it('is always within its bounds, and differs from pod to pod', () => {
    fc.assert(
      fc.property(fc.nat(2000), (attempt) => {
        const pauses = Array.from({ length: 20 }, () => pauseMs(attempt));
        expect(Math.min(...pauses)).toBeGreaterThanOrEqual(pauseMs(attempt, 0));
        expect(Math.max(...pauses)).toBeLessThanOrEqual(pauseMs(attempt, 1));
        expect(new Set(pauses).size).toBeGreaterThan(1);
      }),
    );
  });
});
