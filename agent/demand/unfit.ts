/** Why a job can never run, however many of the instance's nodes are online. Data in, data out. */
import { admits } from './constraint.ts';
import type { JobNeed } from './job-need.ts';
import type { QueueNode } from './queue-nodes.ts';

/** Cores and GPUs that a job takes of one node at least. */
export function leastOfNode({ nodes, slots, cores, gpus, exclusive }: JobNeed): {
  cores: number;
  gpus: number;
} {
  // An exclusive job is given whole nodes, whatever its slots need (Rv1Pool.py, _check_feasibility).
  const atOnce = nodes > 0 && !exclusive ? slots : 1;
  return { cores: cores * atOnce, gpus: gpus * atOnce };
}

/** How many slots of the need a node with so much has room for. */
export const slotsIn = ({ cores, gpus }: { cores: number; gpus: number }, need: JobNeed): number =>
  Math.min(
    Math.floor(cores / need.cores),
    need.gpus === 0 ? Number.POSITIVE_INFINITY : Math.floor(gpus / need.gpus),
  );

/**
 * A sentence about the job, at most 160 characters; undefined for a job that fits. A node that is offline or drained counts: it may be back.
 * Excluded ones do not.
 */
export function whyUnfit(
  need: JobNeed,
  nodes: readonly QueueNode[],
  isAdmitted: (node: QueueNode) => boolean = admits(need.constraint),
): string | undefined {
  const open = nodes.filter(({ excluded }) => !excluded);
  const admitted = open.filter(isAdmitted);
  const least = leastOfNode(need);
  const large = admitted.filter(({ cores, gpus }) => cores >= least.cores && gpus >= least.gpus);
  const wanted = Math.max(1, need.nodes);
  if (open.length < wanted)
    return `it needs ${some(wanted, 'node')}, and the instance has at most ${open.length}`;
  if (admitted.length < wanted)
    return `it needs ${some(wanted, 'node')}, and ${admitted.length} of the instance’s ${open.length} match its constraints`;
  if (large.length < wanted) return whyTooSmall(least, admitted, large.length, wanted);
  const slots = large.reduce((sum, node) => sum + slotsIn(node, need), 0);
  if (need.nodes === 0 && slots < need.slots)
    return `it needs ${need.slots} times ${sizeOf(need)}, and the instance has room for ${slots}`;
  return undefined;
}

function whyTooSmall(
  least: { readonly cores: number; readonly gpus: number },
  admitted: readonly QueueNode[],
  large: number,
  wanted: number,
): string {
  const most = (of: (node: QueueNode) => number) =>
    admitted.reduce((found, node) => Math.max(found, of(node)), 0);
  const [cores, gpus] = [most((node) => node.cores), most((node) => node.gpus)];
  if (cores < least.cores)
    return `it needs ${some(least.cores, 'core')} on a node, and the largest has ${cores}`;
  if (gpus < least.gpus)
    return `it needs ${some(least.gpus, 'GPU')} on a node, and none has more than ${gpus}`;
  return `it needs ${some(wanted, 'node')} with ${sizeOf(least)} each, and ${large} have that`;
}

export const some = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const sizeOf = ({ cores, gpus }: { cores: number; gpus: number }): string =>
  gpus === 0 ? some(cores, 'core') : `${some(cores, 'core')} and ${some(gpus, 'GPU')}`;
