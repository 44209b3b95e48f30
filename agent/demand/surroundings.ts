/** What the demand depends on beside the jobs: asked for when it may have changed. */
import type { FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import { getHousekeeping, getQueueStatus } from '../flux/services/job-manager.ts';
import { getModuleOf } from '../flux/services/modules.ts';
import { getResourceStatus } from '../flux/services/resource.ts';
import type { DemandQueue } from './demand.ts';
import { nodesOf, type QueueNode } from './queue-nodes.ts';

export interface Surroundings extends Pick<DemandQueue, 'housekeeping' | 'isStopped'> {
  readonly nodes: readonly QueueNode[];
  readonly inOrder: boolean;
}

const timeoutMs = 10_000;

/**
 * The schedulers of flux-core that start no job before those ahead of it (src/modules/sched-fifo.py, of which sched-simple is a kind). Another
 * one may.
 */
const inOrder: readonly (string | undefined)[] = ['sched-simple', 'sched-fifo'];

export function createSurroundings(client: FluxClient, signal: AbortSignal) {
  const options = { timeoutMs, signal };
  let nodes: readonly QueueNode[] | undefined;
  let housekeeping: readonly number[] | undefined;
  /** A scheduler that is replaced while the instance runs is not noticed. */
  let scheduler: string | undefined;

  const stoppedOf = async (pending: DemandQueue['pending']) => {
    const queues = [...new Set(pending.map(({ need }) => need.queue))];
    const stopped = await Promise.all(
      queues.map(async (name) => ((await isStopped(client, name, options)) ? [name] : [])),
    );
    return new Set(stopped.flat());
  };

  return {
    forgetNodes: () => {
      nodes = undefined;
    },
    forgetHousekeeping: () => {
      housekeeping = undefined;
    },
    read: async ({ pending }: Pick<DemandQueue, 'pending'>): Promise<Surroundings> => {
      const [status, ranks, stopped] = await Promise.all([
        nodes ?? getResourceStatus(client, options).then(nodesOf),
        housekeeping ?? getHousekeeping(client, options),
        stoppedOf(pending),
      ]);
      [nodes, housekeeping] = [status, ranks];
      if (pending.length > 0) scheduler ??= await schedulerOf(client, options);
      return {
        nodes,
        housekeeping,
        isStopped: (queue) => stopped.has(queue),
        inOrder: inOrder.includes(scheduler),
      };
    },
  };
}

/**
 * Older versions of Flux have another name for the request: their scheduler counts as one that passes jobs over. Undefined where it is to be
 * asked for again.
 */
async function schedulerOf(client: FluxClient, options: object): Promise<string | undefined> {
  try {
    return await getModuleOf(client, 'sched', options);
  } catch (error) {
    return error instanceof FluxError && error.errnum === Errno.noService ? 'unknown' : undefined;
  }
}

/**
 * A disabled queue refuses jobs; those that are in it are started all the same (flux-queue(1)). While no scheduler is loaded, all queues are
 * reported as stopped.
 */
async function isStopped(client: FluxClient, name: string | undefined, options: object): Promise<boolean> {
  try {
    const { start, blocked } = await getQueueStatus(client, name, options);
    return !start && blocked !== 'scheduler';
  } catch {
    return false; // of a queue that has been removed from the configuration
  }
}
