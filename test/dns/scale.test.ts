import { describe, expect, it } from 'vitest';
import { parentName, seeded, virtualWorld } from '../support/virtual/virtual-wait.ts';

/**
 * All pods but the leader start at once and wait for it, at a CoreDNS that keeps denials and answers for 30 s. `record` is when the
 * leader's name appears, `listens` when its broker does, both in ms.
 */
async function play(size: number, { record, listens = 0, stale = false, deniesNames = false }: Scene) {
  const { time, cluster, wait } = virtualWorld({ random: seeded(size), deniesNames });
  const old = '10.0.0.9';
  if (stale) {
    cluster.publish(parentName, old);
    void cluster.ask({ name: parentName, type: 'A' }, new AbortController().signal);
  }
  const publish = () => cluster.publish(parentName, '10.0.0.1');
  if (record > 0) time.at(record, publish);
  else publish();
  cluster.set('10.0.0.1', listens > 0 ? 'refuses' : 'listens');
  time.at(listens, () => cluster.set('10.0.0.1', 'listens'));
  const waits = Array.from({ length: size - 1 }, (_, index) => wait({ size, rank: index + 1 }));
  await time.run(600_000);
  const found = await Promise.all(waits.map((each) => each.found));
  const late = waits.map((each) => each.foundAt() - Math.max(record, listens)).sort((a, b) => a - b);
  const perSecond = Map.groupBy(cluster.queries, ({ at }) => Math.floor(at / 1000));
  return {
    mostPerSecond: Math.max(...[...perSecond.values()].map((queries) => queries.length)),
    mostPerPod: Math.max(...found.map(({ questions }) => questions)),
    perPod: cluster.queries.length / (size - 1),
    medianLate: late[late.length >> 1] as number,
    mostLate: late.at(-1) as number,
    wrongDenials: cluster.queries.filter(({ key, rcode }) => key !== 'any' && rcode === 'NXDOMAIN').length,
  };
}

interface Scene {
  readonly record: number;
  readonly listens?: number;
  readonly stale?: boolean;
  readonly deniesNames?: boolean;
}

const scenes: Readonly<Record<string, Scene>> = {
  'records there from the start': { record: 0 },
  'records 1 s late': { record: 1000 },
  'records 40 s late': { record: 40_000 },
  'a leader that listens only after 5 s': { record: 0, listens: 5000 },
  'a resolver that denies whole names, records 1 s late': { record: 1000, deniesNames: true },
};

/** The most questions a pod of any size may need, and how late (in ms) the last of 4, 40, 400 and 10,000 may be. */
const limits: Readonly<Record<string, readonly [number, readonly [number, number, number, number]]>> = {
  'records there from the start': [2, [20, 20, 2000, 45_000]],
  'records 1 s late': [9, [650, 650, 2200, 45_000]],
  'records 40 s late': [63, [1050, 1050, 2200, 45_000]],
  'a leader that listens only after 5 s': [15, [350, 350, 450, 45_000]],
  'a resolver that denies whole names, records 1 s late': [16, [29_500, 29_500, 32_000, 75_000]],
};

// A busy machine takes its time over 10,000 pods.
describe.each(Object.keys(scenes))('%s:', { timeout: 60_000 }, (title) => {
  const [mostPerPod, mostLate] = limits[title] as (typeof limits)[string];

  it.each([
    [4, mostLate[0]],
    [40, mostLate[1]],
    [400, mostLate[2]],
    [10_000, mostLate[3]],
  ])(
    '%i pods ask at most 500 questions a second, and each finds the leader within %i ms',
    async (size, late) => {
      const played = await play(size, scenes[title] as Scene);
      expect(played.mostPerSecond).toBeLessThanOrEqual(500);
      expect(played.mostPerPod).toBeLessThanOrEqual(mostPerPod);
      expect(played.mostLate).toBeLessThanOrEqual(late);
      expect(played.wrongDenials).toBe(0);
    },
  );
});

describe('as the cluster grows', { timeout: 60_000 }, () => {
  it('a pod never asks more', async () => {
    const perPod: number[] = [];
    for (const size of [4, 40, 400, 10_000]) perPod.push((await play(size, { record: 1000 })).perPod);
    expect(perPod).toEqual(perPod.toSorted((a, b) => b - a));
    expect(perPod[0]).toBeLessThan(9);
  });

  it("a dead pod's address costs a pod one question more, and some quarter of a second", async () => {
    const small = await play(40, { record: 0, stale: true });
    expect(small).toMatchObject({ mostPerPod: 3, wrongDenials: 0 });
    expect(small.mostLate).toBeLessThan(270);
    const large = await play(10_000, { record: 0, stale: true });
    expect(large.mostPerPod).toBe(3);
    // Three questions of each of 225 pods.
    expect(large.mostPerSecond).toBeLessThan(700);
  });
});
