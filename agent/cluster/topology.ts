/**
 * The tree of brokers that follows from `tbon.topo`, computed as flux-core's src/modules/overlay/topology.c does;
 * flux-broker-attributes(7) describes the schemes.
 */

/** A `tbon.topo` URI. Fan-outs of 0, and `custom`, mean flat: rank 0 is the parent of all others. */
export type Topology =
  | { readonly scheme: 'kary'; readonly k: number }
  /** At most three levels: rank 0, `k` routers, leaves. Without `k` it is chosen by size. */
  | { readonly scheme: 'mincrit'; readonly k?: number }
  | { readonly scheme: 'binomial' }
  /** flux-pod writes no `parent` keys into broker.toml, so the tree is flat. */
  | { readonly scheme: 'custom' };

/** A tree of `size` brokers. All functions throw RangeError for a rank that is not 0 to `size - 1`. */
export interface Tree {
  readonly size: number;
  /** The parent's rank; undefined for rank 0. Constant time. */
  readonly parentOf: (rank: number) => number | undefined;
  /** The children's ranks, ascending. */
  readonly childrenOf: (rank: number) => number[];
  /** How far below rank 0 a rank is; 0 for rank 0. */
  readonly levelOf: (rank: number) => number;
  /** The largest level there is. */
  readonly maxLevel: number;
  /** How many ranks are below a rank, at any distance. */
  readonly descendantCountOf: (rank: number) => number;
}

/** flux-core keeps ranks and fan-outs in an int. */
const MAX_INT = 2 ** 31 - 1;

/** flux-core's binomial_smallest_k gives up above this size. */
const MAX_BINOMIAL_SIZE = 2 ** 30;

/** The fan-out from router to leaves up to which `mincrit` takes no more routers (mincrit_plugin_init). */
const MINCRIT_MAX_FANOUT = 1024;

/** Reads a `tbon.topo` URI. Throws a SyntaxError that names the schemes. */
export function parseTopology(uri: string): Topology {
  const [scheme, ...rest] = uri.split(':');
  const path = rest.join(':');
  if ((scheme === 'kary' || scheme === 'mincrit') && isFanout(path)) return { scheme, k: Number(path) };
  if ((scheme === 'mincrit' || scheme === 'binomial' || scheme === 'custom') && path === '')
    return { scheme };
  throw new SyntaxError(
    `Cannot parse topology ${JSON.stringify(uri.slice(0, 80))}: expected kary:K, mincrit, mincrit:K, binomial or custom, ` +
      `with K an integer of 0 to ${MAX_INT}`,
  );
}

/** The tree of a topology for `size` brokers, in O(1). Throws a RangeError for a size or a fan-out that Flux refuses. */
export function createTopology(topology: Topology, size: number): Tree {
  assertInteger('size', size, 1, topology.scheme === 'binomial' ? MAX_BINOMIAL_SIZE : MAX_INT);
  return checkRanks(createTree(topology, size));
}

function createTree(topology: Topology, size: number): Tree {
  switch (topology.scheme) {
    case 'kary':
      assertInteger('k', topology.k, 0, MAX_INT);
      return karyTree(topology.k, size);
    case 'mincrit':
      assertInteger('k', topology.k ?? 0, 0, MAX_INT);
      return mincritTree(topology.k ?? mincritRouters(size), size);
    case 'binomial':
      return binomialTree(size);
    case 'custom':
      return karyTree(0, size);
  }
}

/** Ranks fill the tree level by level (src/common/libutil/kary.c). */
function karyTree(k: number, size: number): Tree {
  const fanout = k === 0 ? size : k;
  const levelOf = (rank: number): number => {
    if (fanout === 1) return rank;
    let level = 0;
    for (let at = rank; at > 0; at = Math.floor((at - 1) / fanout)) level += 1;
    return level;
  };
  return {
    size,
    parentOf: (rank) => (rank === 0 ? undefined : Math.floor((rank - 1) / fanout)),
    childrenOf: (rank) => integers(fanout * rank + 1, Math.min(fanout * (rank + 1), size - 1)),
    levelOf,
    maxLevel: levelOf(size - 1),
    descendantCountOf: (rank) => {
      if (fanout === 1) return size - 1 - rank;
      let count = 0;
      // A level's descendants are one run of ranks; its children are the next.
      for (let first = rank, last = rank; ; ) {
        first = fanout * first + 1;
        last = fanout * (last + 1);
        if (first >= size) return count;
        count += Math.min(last, size - 1) - first + 1;
      }
    },
  };
}

/** Ranks 1 to k are routers; the other ranks are dealt to them in turn. */
function mincritTree(k: number, size: number): Tree {
  if (k === 0) return karyTree(0, size);
  const levelOf = (rank: number): number => (rank === 0 ? 0 : rank <= k ? 1 : 2);
  return {
    size,
    parentOf: (rank) => (rank === 0 ? undefined : rank <= k ? 0 : ((rank - k - 1) % k) + 1),
    childrenOf: (rank) => {
      if (rank === 0) return integers(1, Math.min(k, size - 1));
      return rank > k ? [] : integers(rank + k, size - 1, k);
    },
    levelOf,
    maxLevel: levelOf(size - 1),
    descendantCountOf: (rank) => (rank === 0 ? size - 1 : rank > k ? 0 : Math.floor((size - 1 - rank) / k)),
  };
}

/** The fewest routers that keep each one's fan-out in bounds; one router alone would be useless. */
function mincritRouters(size: number): number {
  if (size <= MINCRIT_MAX_FANOUT + 1) return 0;
  return Math.max(2, Math.ceil((size - 1) / (MINCRIT_MAX_FANOUT + 1)));
}

/** A rank's parent is the rank without its lowest 1 bit, so its subtree is the run of ranks up to the next such step. */
function binomialTree(size: number): Tree {
  const subtreeEnd = (rank: number): number => (rank === 0 ? size : Math.min(size, rank + lowestBit(rank)));
  return {
    size,
    parentOf: (rank) => (rank === 0 ? undefined : rank & (rank - 1)),
    childrenOf: (rank) => {
      const children: number[] = [];
      for (let step = 1; rank + step < subtreeEnd(rank); step *= 2) children.push(rank + step);
      return children;
    },
    levelOf: countBits,
    maxLevel: mostBitsUpTo(size - 1),
    descendantCountOf: (rank) => subtreeEnd(rank) - rank - 1,
  };
}

/** The same tree with its arguments checked. */
function checkRanks(tree: Tree): Tree {
  const checked =
    <T>(answer: (rank: number) => T) =>
    (rank: number): T => {
      assertInteger('rank', rank, 0, tree.size - 1);
      return answer(rank);
    };
  return Object.freeze({
    size: tree.size,
    parentOf: checked(tree.parentOf),
    childrenOf: checked(tree.childrenOf),
    levelOf: checked(tree.levelOf),
    maxLevel: tree.maxLevel,
    descendantCountOf: checked(tree.descendantCountOf),
  });
}

function assertInteger(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new RangeError(`Bad topology ${what}: expected an integer of ${low} to ${high}, not ${value}`);
}

function isFanout(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= MAX_INT;
}

function integers(first: number, last: number, step = 1): number[] {
  const found: number[] = [];
  for (let value = first; value <= last; value += step) found.push(value);
  return found;
}

function lowestBit(value: number): number {
  return value & -value;
}

function countBits(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** The most 1 bits of any number up to `limit`: clear one of its bits, set all below it, or take it as it is. */
function mostBitsUpTo(limit: number): number {
  let most = countBits(limit);
  for (let rest = limit; rest !== 0; rest &= rest - 1) {
    const bit = lowestBit(rest);
    most = Math.max(most, countBits(rest - bit) + Math.log2(bit));
  }
  return most;
}
