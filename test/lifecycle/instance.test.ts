import { describe, expect, it } from 'vitest';
import { createTopology, parseTopology } from '../../agent/cluster/topology.ts';
import { type VirtualInstance, virtualInstance } from '../support/virtual/virtual-instance.ts';

const sizes = [4, 40, 400];
const instances = ['custom', 'kary:8'].flatMap((topology) => sizes.map((size) => ({ topology, size })));

function begin({ topology, size }: (typeof instances)[number]) {
  const tree = createTopology(parseTopology(topology), size);
  const instance = virtualInstance(tree);
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  return { tree, instance, ranks };
}

/** All pods start, and their names have records a second later. */
async function run(of: (typeof instances)[number]) {
  const begun = begin(of);
  for (const rank of begun.ranks) begun.instance.startPod(rank, 1000);
  await begun.instance.time.run(30_000);
  return begun;
}

const mostASecond = ({ cluster }: VirtualInstance): number => {
  const perSecond = Map.groupBy(cluster.queries, ({ at }) => Math.floor(at / 1000));
  return Math.max(...[...perSecond.values()].map(({ length }) => length));
};

describe.each(instances)('$size pods, tbon.topo $topology', (of) => {
  const { size } = of;

  it('all run, each with one parent link, at the first attempt', async () => {
    const { instance } = await run(of);
    expect(instance.running()).toBe(size);
    expect(instance.links()).toEqual({ open: size - 1, attempts: size - 1 });
    expect(mostASecond(instance)).toBeLessThanOrEqual(500);
  });

  it('join the leader that replaces theirs at another address', async () => {
    const { instance, ranks } = await run(of);
    const before = ranks.map(instance.questionsOf);
    instance.killPod(0);
    await instance.time.run(32_000);
    expect(instance.running()).toBe(0);
    instance.startPod(0);
    await instance.time.run(90_000);
    expect(instance.running()).toBe(size);
    expect(instance.links().open).toBe(size - 1);
    expect(mostASecond(instance)).toBeLessThanOrEqual(700);
    for (const rank of ranks) expect(instance.questionsOf(rank) - (before[rank] ?? 0)).toBeLessThan(60);
  });

  it('go on without a pod and the pods below it, and join its replacement', async () => {
    const { instance, tree } = await run(of);
    instance.killPod(1);
    await instance.time.run(31_000);
    expect(instance.running()).toBe(size - 1 - tree.descendantCountOf(1));
    instance.startPod(1);
    await instance.time.run(90_000);
    expect(instance.running()).toBe(size);
    expect(instance.links().open).toBe(size - 1);
  });

  it.each([0, 7])('exit with the code of the leader’s program, %i', async (code) => {
    const { instance, ranks } = await run(of);
    instance.endProgram(code);
    await instance.time.run(35_000);
    expect(ranks.map((rank) => instance.exitOf(rank)?.outcome.code)).toEqual(ranks.map(() => code));
  });
});
