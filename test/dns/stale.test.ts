import { describe, expect, it } from 'vitest';
import type { VirtualDns } from '../support/virtual/virtual-cluster.ts';
import { parentName, type VirtualWorld, virtualWorld } from '../support/virtual/virtual-wait.ts';

const never = new AbortController().signal;
const [live, dead] = ['10.0.0.1', '10.0.0.99'];

/** Makes the cache keep what is published now under this key, as if another pod had asked. */
const spoil = ({ cluster }: VirtualWorld, key: string) => {
  const [type = '', ...bits] = key.split('+');
  const name = type === 'peers' ? parentName.slice('mc-0.'.length) : parentName;
  const question = { name, type: type === 'peers' ? 'A' : type };
  void cluster.ask(
    { ...question, dnssecOk: bits.includes('DO'), checkingDisabled: bits.includes('CD') },
    never,
  );
};

const addressKeys = ['A', 'A+DO', 'A+CD', 'A+DO+CD'];
const srvKeys = ['SRV', 'SRV+DO', 'SRV+CD', 'SRV+DO+CD'];

describe("a dead pod's address out of a cache, which swallows SYNs", () => {
  it.each<[string, VirtualDns, readonly string[], string]>([
    ['under the plain key: DO is fresh', {}, addressKeys.slice(0, 1), 'A+DO'],
    ['with DO as well: CD is fresh', {}, addressKeys.slice(0, 2), 'A+CD'],
    ['with CD as well: both bits are fresh', {}, addressKeys.slice(0, 3), 'A+DO+CD'],
    ['under all four keys: SRV has it, where the Service has a port', { srv: true }, addressKeys, 'SRV'],
    ['and SRV under three keys', { srv: true }, [...addressKeys, ...srvKeys.slice(0, 3)], 'SRV+DO+CD'],
    [
      'without a port: the list of the Service has it, and PTR says whose',
      { reverse: true },
      addressKeys,
      'PTR',
    ],
    ['and the list spoilt under two keys', { reverse: true }, [...addressKeys, 'peers', 'peers+DO'], 'PTR'],
  ])('%s', async (_, dns, spoilt, last) => {
    const world = virtualWorld(dns);
    const { time, cluster, wait } = world;
    cluster.publish(parentName, dead);
    for (const key of spoilt) spoil(world, key);
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    cluster.publish(parentName.replace('mc-0', 'mc-1'), '10.0.0.2');
    cluster.set('10.0.0.2', 'refuses');
    const before = cluster.queries.length;
    await time.run(5000);
    const waiting = wait();
    await time.run(15_000);
    expect(await waiting.found).toMatchObject({ host: live, port: 8050 });
    expect(waiting.foundAt() - 5000).toBeLessThan(1000);
    expect(cluster.queries.at(-1)?.key).toBe(last);
    expect(cluster.queries.slice(before).length).toBeLessThan(16);
    // What was given first is what everybody asks: the other keys are spent one by one.
    expect(cluster.queries[before + 1]?.key).toBe('A');
    expect(waiting.met.every((each) => each === 'connection: no reply from the address')).toBe(true);
  });

  it.each([
    ['every 1.5 s, where the Service has a port', 1500, { reverse: true, srv: true }],
    ['every 4 s, where it has none', 4000, { reverse: true }],
  ])('ten times in a row, %s, with answers kept for 30 s: each time within 1.5 s', async (_, every, dns) => {
    const { time, cluster, wait } = virtualWorld(dns);
    for (let round = 0; round < 10; round++) {
      const startedAt = time.now();
      for (let pod = 0; pod < 4; pod++) {
        const name = parentName.replace('mc-0', `mc-${pod}`);
        if (round > 0) cluster.set(`10.0.${round - 1}.${pod}`, 'swallows');
        cluster.publish(name, `10.0.${round}.${pod}`);
        cluster.set(`10.0.${round}.${pod}`, pod === 0 ? 'listens' : 'refuses');
      }
      const waits = [1, 2, 3].map((rank) => wait({ rank }));
      await time.run(startedAt + every);
      for (const { foundAt, found } of waits) {
        expect(foundAt() - startedAt, `round ${round}`).toBeLessThan(1500);
        expect((await found).host).toBe(`10.0.${round}.0`);
      }
    }
  });

  it('is given up for the answer of the API server, which is asked when the first address is suspected', async () => {
    const world = virtualWorld();
    const { time, cluster, wait } = world;
    cluster.publish(parentName, dead);
    for (const key of addressKeys) spoil(world, key);
    cluster.set(live, 'listens');
    const asked: number[] = [];
    const endpointSlices = async () => {
      asked.push(time.now());
      return [live];
    };
    const waiting = wait({ endpointSlices });
    await time.run(10_000);
    expect((await waiting.found).host).toBe(live);
    expect(asked).toHaveLength(1);
    expect(waiting.foundAt()).toBeLessThan(300);
  });

  it('ends with its TTL where nothing else helps', async () => {
    const world = virtualWorld();
    const { time, cluster, wait } = world;
    cluster.publish(parentName, dead);
    for (const key of addressKeys) spoil(world, key);
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const waiting = wait({ endpointSlices: async () => undefined });
    await time.run(120_000);
    expect(waiting.foundAt()).toBeGreaterThan(29_000);
    expect(waiting.foundAt()).toBeLessThan(38_000);
    expect(waiting.met).toEqual(['connection: no reply from the address']);
  });

  it('that has become a foreign instance’s is as good as dead, however well it is connected to', async () => {
    const world = virtualWorld();
    const { time, cluster, wait } = world;
    cluster.publish(parentName, dead);
    spoil(world, 'A');
    cluster.publish(parentName, live);
    for (const address of [live, dead]) cluster.set(address, 'listens');
    const waiting = wait({ foreign: [dead] });
    await time.run(10_000);
    expect(await waiting.found).toMatchObject({ host: live });
    expect(waiting.foundAt()).toBeLessThan(1000);
  });

  it('that a pod has found itself is not asked for again when it is lost: another key has what there is now', async () => {
    const { time, cluster, wait } = virtualWorld();
    cluster.publish(parentName, dead);
    cluster.set(dead, 'listens');
    const keyMemory = {};
    const first = wait({ keyMemory });
    await time.run(600);
    expect(await first.found).toMatchObject({ host: dead });
    // Within the second in which what is cached has the whole TTL.
    cluster.set(dead, 'swallows');
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const again = wait({ keyMemory, known: [dead] });
    await time.run(1000);
    expect(again.foundAt() - 600).toBeLessThan(100);
    expect(cluster.queries.map(({ key }) => key)).toEqual(['any', 'A', 'any', 'A+DO']);
  });

  it('is tried again: a pod whose network is late answers in the end, though no newer address is known', async () => {
    const { time, cluster, wait } = virtualWorld();
    cluster.publish(parentName, live);
    time.at(7000, () => cluster.set(live, 'listens'));
    const waiting = wait();
    await time.run(60_000);
    expect(waiting.foundAt() - 7000).toBeLessThan(1100);
  });
});

describe('a leader that is replaced', () => {
  it.each([
    ['its name gone for a second', 1000, { srv: true }, 1200],
    ['its name gone for a second, in a Service without ports', 1000, { reverse: true }, 1200],
    ['and its record changed at once', 0, { srv: true }, 3000],
    ['and its record changed at once, in a Service without ports', 0, { reverse: true }, 4500],
  ])('%s: the keys have not been spent on the dead one', async (_, gap, dns, late) => {
    const { time, cluster, wait } = virtualWorld(dns);
    cluster.publish(parentName, dead);
    const waiting = wait();
    time.at(3000 - gap, () => cluster.withdraw(parentName));
    time.at(3000, () => cluster.publish(parentName, live));
    cluster.set(live, 'listens');
    await time.run(60_000);
    expect((await waiting.found).host).toBe(live);
    expect(waiting.foundAt() - 3000).toBeLessThan(late);
    const spent = cluster.queries.filter(({ key, at }) => key !== 'any' && at < 3000 - gap);
    expect(spent.length).toBeLessThanOrEqual(3);
  });
});

describe('an address that refuses', () => {
  it('is a pod whose broker does not listen yet: the other keys are not spent on it for a second', async () => {
    const { time, cluster, wait } = virtualWorld();
    cluster.publish(parentName, live);
    cluster.set(live, 'refuses');
    time.at(900, () => cluster.set(live, 'listens'));
    const waiting = wait();
    await time.run(60_000);
    expect(waiting.foundAt() - 900).toBeLessThan(320);
    expect([...new Set(cluster.queries.map(({ key }) => key))]).toEqual(['any', 'A']);
    expect(waiting.met).toEqual(['connection: refused']);
  });

  it("is another pod's by now if it goes on refusing: newer answers are asked for", async () => {
    const world = virtualWorld();
    const { time, cluster, wait } = world;
    cluster.publish(parentName, dead);
    spoil(world, 'A');
    cluster.set(dead, 'refuses');
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(60_000);
    expect(waiting.foundAt()).toBeLessThan(3000);
  });
});

describe("the Service's list", () => {
  const peer = '10.0.0.2';
  const spoilt = (dns: VirtualDns) => {
    const world = virtualWorld(dns);
    world.cluster.publish(parentName, dead);
    for (const key of addressKeys) spoil(world, key);
    world.cluster.publish(parentName, live);
    world.cluster.publish(parentName.replace('mc-0', 'mc-1'), peer);
    world.cluster.set(peer, 'listens');
    return world;
  };

  it('never leads to another pod, though that listens on the port: PTR tells', async () => {
    const { time, cluster, wait } = spoilt({ reverse: true });
    const waiting = wait();
    time.at(2000, () => cluster.set(live, 'listens'));
    await time.run(60_000);
    expect((await waiting.found).host).toBe(live);
    expect(waiting.foundAt()).toBeLessThan(4500);
  });

  it('is useless without a reverse zone: no PTR record names the pod of an address', async () => {
    const { time, cluster, wait } = spoilt({});
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(120_000);
    expect((await waiting.found).host).toBe(live);
    expect(cluster.queries.filter(({ key }) => key === 'PTR').length).toBeLessThanOrEqual(2);
  });

  it('is not asked for by the pods of a large cluster, which would send the square of their number of SYNs', async () => {
    const { time, cluster, wait } = spoilt({ reverse: true });
    const waiting = wait({ size: 300 });
    await time.run(120_000);
    expect(cluster.queries.some(({ name }) => name === parentName.slice('mc-0.'.length))).toBe(false);
    expect(waiting.foundAt()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('an address with a cached negative answer because a client asked too early', () => {
  it.each([1, 2, 3])('under %i of its four keys is had by another', async (count) => {
    const world = virtualWorld();
    const { time, cluster, wait } = world;
    for (const key of addressKeys.slice(0, count)) spoil(world, key);
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(10_000);
    expect(waiting.foundAt()).toBeLessThan(150);
    expect(waiting.met).toEqual(['address: negative answer for the address']);
    expect((await waiting.found).questions).toBe(2 + 2 * count);
  });

  it('under all of them is had by SRV, or by the list of the Service', async () => {
    for (const dns of [{ srv: true }, { reverse: true }]) {
      const world = virtualWorld(dns);
      for (const key of addressKeys) spoil(world, key);
      world.cluster.publish(parentName, live);
      world.cluster.set(live, 'listens');
      const waiting = world.wait();
      await world.time.run(10_000);
      expect(waiting.foundAt()).toBeLessThan(300);
    }
  });

  it('is not made so by us: when the parent goes while it is awaited, its address is not asked for until it is back', async () => {
    const { time, cluster, wait } = virtualWorld({ positiveTtl: 5 });
    cluster.publish(parentName, dead);
    time.at(4000, () => cluster.withdraw(parentName));
    time.at(30_000, () => cluster.publish(parentName, live));
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(120_000);
    const denied = cluster.queries.filter(({ key, rcode }) => /^(A|SRV)/.test(key) && rcode === 'NXDOMAIN');
    expect(denied.length).toBeLessThanOrEqual(1);
    expect(waiting.foundAt() - 30_000).toBeLessThan(1500);
    expect(waiting.met).toEqual([
      'connection: no reply from the address',
      'name: no such name',
      'name: no such service, or it publishes no pod',
      'connection: no reply from the address',
    ]);
  });
});
