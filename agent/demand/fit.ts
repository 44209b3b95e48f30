/**
 * How each need fits the instance, worked out once as long as the nodes stay the same: at each evaluation it would be every constraint against
 * every node. A queue keeps the need of a shape, and the surroundings keep the nodes until one of them changes, so both are known by identity.
 */
import { admits } from './constraint.ts';
import type { JobNeed } from './job-need.ts';
import type { QueueNode } from './queue-nodes.ts';
import { whyUnfit } from './unfit.ts';

export interface Fit {
  /** Undefined for a need that fits. */
  readonly why: string | undefined;
  /** Of any of the nodes, whatever is free of it now. */
  readonly isAdmitted: (node: Pick<QueueNode, 'rank'>) => boolean;
}

export interface KnownNodes {
  readonly maxSize: number;
  /** The nodes of ranks below `maxSize`. */
  readonly nodes: readonly QueueNode[];
  readonly fitOf: (need: JobNeed) => Fit;
}

const remembered = new WeakMap<readonly QueueNode[], KnownNodes>();

/** The same for the same list, which does not change. */
export function knownNodes(all: readonly QueueNode[], maxSize: number): KnownNodes {
  const before = remembered.get(all);
  if (before?.maxSize === maxSize) return before;
  const nodes = all.filter(({ rank }) => rank < maxSize);
  const fits = new WeakMap<JobNeed, Fit>();
  const fitOf = (need: JobNeed): Fit => {
    const fit = fits.get(need) ?? workOut(need, nodes);
    fits.set(need, fit);
    return fit;
  };
  const known = { maxSize, nodes, fitOf };
  remembered.set(all, known);
  return known;
}

function workOut(need: JobNeed, nodes: readonly QueueNode[]): Fit {
  const isAdmitted = need.constraint === undefined ? () => true : admittedRanks(need, nodes);
  return { why: whyUnfit(need, nodes, isAdmitted), isAdmitted };
}

/** A byte for each rank: a thousand constraints are kept at once. */
function admittedRanks({ constraint }: JobNeed, nodes: readonly QueueNode[]): Fit['isAdmitted'] {
  const match = admits(constraint);
  const ranks = new Uint8Array(nodes.reduce((most, { rank }) => Math.max(most, rank + 1), 0));
  for (const node of nodes) ranks[node.rank] = Number(match(node));
  return ({ rank }) => ranks[rank] === 1;
}
