import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Topology } from '../../agent/cluster/topology.ts';
import { createTopology, parseTopology } from '../../agent/cluster/topology.ts';
import { growth } from '../support/virtual/cpu-time.ts';

const MANY = 100_000;
const MAX_INT = 2 ** 31 - 1;

describe('parseTopology', () => {
  it.each([
    ['kary:2', { scheme: 'kary', k: 2 }],
    ['kary:0', { scheme: 'kary', k: 0 }],
    ['mincrit', { scheme: 'mincrit' }],
    ['mincrit:', { scheme: 'mincrit' }],
    ['mincrit:16', { scheme: 'mincrit', k: 16 }],
    ['binomial', { scheme: 'binomial' }],
    ['custom', { scheme: 'custom' }],
  ])('reads "%s"', (uri, topology) => {
    expect(parseTopology(uri)).toEqual(topology);
  });

  it.each([
    '',
    'flat',
    'kary',
    'kary:',
    'kary:-1',
    'kary:x',
    'kary:1.5',
    'kary:2147483648',
    'kary:2:3',
    'KARY:2',
    'mincrit:x',
    'binomial:2',
    'custom:2',
    ' kary:2',
  ])('refuses "%s", saying what is accepted', (uri) => {
    expect(() => parseTopology(uri)).toThrow(
      new SyntaxError(
        `Cannot parse topology "${uri}": expected kary:K, mincrit, mincrit:K, binomial or custom, ` +
          'with K an integer of 0 to 2147483647',
      ),
    );
  });
});

describe('createTopology', () => {
  it.each<[Topology, (number | undefined)[]]>([
    [{ scheme: 'kary', k: 0 }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
    [{ scheme: 'kary', k: 1 }, [undefined, 0, 1, 2, 3, 4, 5, 6]],
    [{ scheme: 'kary', k: 2 }, [undefined, 0, 0, 1, 1, 2, 2, 3]],
    [{ scheme: 'kary', k: 3 }, [undefined, 0, 0, 0, 1, 1, 1, 2]],
    [{ scheme: 'kary', k: MAX_INT }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
    [{ scheme: 'mincrit' }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
    [{ scheme: 'mincrit', k: 0 }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
    [{ scheme: 'mincrit', k: 1 }, [undefined, 0, 1, 1, 1, 1, 1, 1]],
    [{ scheme: 'mincrit', k: 3 }, [undefined, 0, 0, 0, 1, 2, 3, 1]],
    [{ scheme: 'mincrit', k: 99 }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
    [{ scheme: 'binomial' }, [undefined, 0, 0, 2, 0, 4, 4, 6]],
    [{ scheme: 'custom' }, [undefined, 0, 0, 0, 0, 0, 0, 0]],
  ])('gives %j the right parents', (topology, parents) => {
    const tree = createTopology(topology, parents.length);
    expect(parents.map((_, rank) => tree.parentOf(rank))).toEqual(parents);
  });

  it.each([
    [1025, 0],
    [1026, 2],
    [2051, 2],
    [2052, 3],
    [10_000, 10],
  ])('chooses for mincrit at size %i so many routers: %i', (size, routers) => {
    const tree = createTopology({ scheme: 'mincrit' }, size);
    expect(tree.childrenOf(0)).toHaveLength(routers === 0 ? size - 1 : routers);
    expect(tree.maxLevel).toBe(routers === 0 ? 1 : 2);
  });

  it('agrees with a walk along the parents, in every scheme', () => {
    fc.assert(
      fc.property(topologyAndSize, ([topology, size]) => {
        const tree = createTopology(topology, size);
        const levels: number[] = [];
        const children = Array.from({ length: size }, (): number[] => []);
        const descendants = Array.from({ length: size }, () => 0);
        for (let rank = 0; rank < size; rank += 1) {
          const path = ancestors(tree.parentOf, rank);
          levels.push(path.length);
          if (path[0] !== undefined) children[path[0]]?.push(rank);
          for (const ancestor of path) descendants[ancestor] = (descendants[ancestor] ?? 0) + 1;
        }
        const ranks = levels.map((_, rank) => rank);
        expect(tree.size).toBe(size);
        expect(ranks.map(tree.levelOf)).toEqual(levels);
        expect(ranks.map(tree.childrenOf)).toEqual(children);
        expect(ranks.map(tree.descendantCountOf)).toEqual(descendants);
        expect(tree.maxLevel).toBe(Math.max(...levels));
      }),
      { numRuns: 300 },
    );
  });

  it.each<[Topology, number]>([
    [{ scheme: 'kary', k: 2 }, 0],
    [{ scheme: 'kary', k: 2 }, -1],
    [{ scheme: 'kary', k: 2 }, 1.5],
    [{ scheme: 'kary', k: 2 }, 2 ** 31],
    [{ scheme: 'binomial' }, 2 ** 30 + 1],
    [{ scheme: 'kary', k: -1 }, 4],
    [{ scheme: 'mincrit', k: 0.5 }, 4],
  ])('refuses %j of size %d', (topology, size) => {
    expect(() => createTopology(topology, size)).toThrow(RangeError);
  });

  it.each([-1, 4, 0.5, Number.NaN])('refuses to answer about rank %d of 4', (rank) => {
    for (const scheme of ['binomial', 'mincrit', 'custom'] as const) {
      const tree = createTopology({ scheme }, 4);
      for (const ask of [tree.parentOf, tree.childrenOf, tree.levelOf, tree.descendantCountOf]) {
        expect(() => ask(rank)).toThrow(
          new RangeError(`Bad topology rank: expected an integer of 0 to 3, not ${rank}`),
        );
      }
    }
  });

  it('cannot be changed through what it returns', () => {
    const tree = createTopology({ scheme: 'kary', k: 1 }, 3);
    tree.childrenOf(0).push(99);
    expect(tree.childrenOf(0)).toEqual([1]);
    expect(Object.isFrozen(tree)).toBe(true);
  });
});

describe('a tree of 100,000 ranks', () => {
  it.each<[string, Topology]>([
    ['kary:0', { scheme: 'kary', k: 0 }],
    ['kary:1', { scheme: 'kary', k: 1 }],
    ['kary:2', { scheme: 'kary', k: 2 }],
    ['mincrit', { scheme: 'mincrit' }],
    ['binomial', { scheme: 'binomial' }],
  ])('answers all questions in time that grows with its size: %s', (_, topology) => {
    const ranks = Array.from({ length: MANY }, (_, rank) => rank);
    expect(growth(ranks, (some) => askAll(topology, some.length))).toBeLessThan(50);
    const { children, levels, deepest, descendants, maxLevel } = askAll(topology, MANY);
    expect(children).toBe(MANY - 1);
    expect(deepest).toBe(maxLevel);
    // Each rank is once the descendant of each of its ancestors.
    expect(descendants).toBe(levels);
  });

  function askAll(topology: Topology, size: number) {
    const tree = createTopology(topology, size);
    let children = 0;
    let levels = 0;
    let deepest = 0;
    let descendants = 0;
    for (let rank = 0; rank < size; rank += 1) {
      children += tree.childrenOf(rank).length;
      levels += tree.levelOf(rank);
      descendants += tree.descendantCountOf(rank);
      deepest = Math.max(deepest, tree.levelOf(rank));
    }
    return { children, levels, deepest, descendants, maxLevel: tree.maxLevel };
  }

  it.each(['kary:0', 'kary:1', 'kary:2', 'mincrit', 'mincrit:1000', 'custom'])(
    'costs nothing to make, though it had 2^31 - 1: %s',
    (uri) => {
      const tree = createTopology(parseTopology(uri), MAX_INT);
      expect(tree.descendantCountOf(0)).toBe(MAX_INT - 1);
      expect(tree.levelOf(tree.parentOf(MAX_INT - 1) ?? 0)).toBe(tree.maxLevel - 1);
    },
  );

  it('costs nothing to make, though it had 2^30: binomial', () => {
    const tree = createTopology({ scheme: 'binomial' }, 2 ** 30);
    expect(tree.maxLevel).toBe(30);
    expect(tree.childrenOf(0)).toHaveLength(30);
  });
});

const fanout = fc.oneof(fc.nat(6), fc.nat(2000));
const topologyAndSize: fc.Arbitrary<[Topology, number]> = fc.oneof(
  fc.tuple(
    fc.oneof(
      fanout.map((k): Topology => ({ scheme: 'kary', k })),
      fanout.map((k): Topology => ({ scheme: 'mincrit', k })),
      fc.constant<Topology>({ scheme: 'mincrit' }),
      fc.constant<Topology>({ scheme: 'binomial' }),
      fc.constant<Topology>({ scheme: 'custom' }),
    ),
    fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 70 }) }, fc.integer({ min: 1020, max: 1030 })),
  ),
);

/** A rank's ancestors, nearest first. */
function ancestors(parentOf: (rank: number) => number | undefined, rank: number): number[] {
  const path: number[] = [];
  for (let at = parentOf(rank); at !== undefined; at = parentOf(at)) path.push(at);
  return path;
}
