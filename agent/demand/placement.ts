/**
 * Places jobs on the lowest ranks that have room, whole or not at all, as a scheduler does that prefers low ranks. A job that finds no room
 * leaves no trace: it waits for others to end, however large the instance is.
 */
import type { KnownNodes } from './fit.ts';
import type { JobNeed } from './job-need.ts';
import type { QueueNode } from './queue-nodes.ts';
import { leastOfNode, slotsIn } from './unfit.ts';

/** A node with what is free of it. */
export interface FreeNode extends QueueNode {
  freeCores: number;
  freeGpus: number;
}

export interface Placement {
  /**
   * Places up to `count` jobs of one need. `placed` is how many found room, `highest` the highest rank of these, -1 where there is none.
   */
  readonly place: (need: JobNeed, count: number) => { readonly placed: number; readonly highest: number };
}

const nothing = { placed: 0, highest: -1 };

/** Takes from `nodes`, which are those that take jobs, in the order of their ranks. */
export function createPlacement(nodes: readonly FreeNode[], { fitOf }: Pick<KnownNodes, 'fitOf'>): Placement {
  let free = nodes.reduce((sum, { freeCores }) => sum + freeCores, 0);
  const candidatesOf = (need: JobNeed): readonly FreeNode[] =>
    need.constraint === undefined ? nodes : nodes.filter(fitOf(need).isAdmitted);
  const take = (node: FreeNode, cores: number, gpus: number) => {
    node.freeCores -= cores;
    node.freeGpus -= gpus;
    free -= cores;
  };

  const onNodes = (need: JobNeed, count: number, candidates: readonly FreeNode[]) => {
    const least = leastOfNode(need);
    const hasRoom = ({ freeCores, freeGpus, cores }: FreeNode) =>
      freeCores >= least.cores && freeGpus >= least.gpus && (!need.exclusive || freeCores === cores);
    let [placed, highest, first] = [0, -1, 0];
    for (; placed < count; placed++) {
      const chosen: FreeNode[] = [];
      for (let at = first; at < candidates.length && chosen.length < need.nodes; at++) {
        const node = candidates[at];
        if (node && hasRoom(node)) chosen.push(node);
        // What has no room before the first with room has none for the next job either.
        else if (chosen.length === 0) first = at + 1;
      }
      if (chosen.length < need.nodes) break;
      for (const node of chosen)
        take(
          node,
          need.exclusive ? node.freeCores : least.cores,
          need.exclusive ? node.freeGpus : least.gpus,
        );
      highest = Math.max(highest, chosen.at(-1)?.rank ?? -1);
    }
    return { placed, highest };
  };

  /** Slots lie anywhere: jobs of one need fill one node after the other. */
  const onSlots = (need: JobNeed, count: number, candidates: readonly FreeNode[]) => {
    const roomOf = ({ freeCores: cores, freeGpus: gpus }: FreeNode) => slotsIn({ cores, gpus }, need);
    const room = candidates.reduce((sum, node) => sum + roomOf(node), 0);
    const placed = Math.min(count, Math.floor(room / need.slots));
    let [left, highest] = [placed * need.slots, -1];
    for (const node of candidates) {
      if (left === 0) break;
      const slots = Math.min(left, roomOf(node));
      if (slots === 0) continue;
      take(node, slots * need.cores, slots * need.gpus);
      left -= slots;
      highest = node.rank;
    }
    return { placed, highest };
  };

  return {
    place: (need, count) => {
      if (free === 0) return nothing;
      return (need.nodes > 0 ? onNodes : onSlots)(need, count, candidatesOf(need));
    },
  };
}
