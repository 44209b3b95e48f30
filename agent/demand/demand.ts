/** What the queue demands of the instance's size: a pure function of the queue, the nodes and the limits. */
import { formatJobId, type JobId } from '../flux/job-id.ts';
import { type KnownNodes, knownNodes } from './fit.ts';
import type { JobNeed } from './job-need.ts';
import { createPlacement, type FreeNode } from './placement.ts';
import type { QueueNode } from './queue-nodes.ts';
import { some } from './unfit.ts';

export interface Demand {
  /**
   * The least number of brokers, from rank 0, with which every job that runs keeps its nodes and every job that can run now could run at
   * once, each of them whole; at least 1, at most as many as the instance has hosts.
   */
  readonly wanted: number;
  /** The job that decides, at most 160 characters; absent where no job waits for nodes. */
  readonly reason?: string;
  /** 1 + the highest rank with a job that runs or is cleaned up after, by housekeeping too; 0 where there is none. */
  readonly busy: number;
  /** Brokers online without a job. */
  readonly idle: number;
  /** Jobs that are not inactive: also those that are held or depend on others. */
  readonly active: number;
  /** Some of the pending jobs that can never run, the oldest first. */
  readonly unfit: readonly UnfitJob[];
  readonly unfitCount: number;
}

export interface UnfitJob {
  readonly id: string;
  readonly why: string;
}

/** Pending jobs of one shape, usually of one priority. */
export interface PendingGroup {
  readonly need: JobNeed;
  readonly priority: number;
  /** Jobs that the scheduler may start: in the state SCHED, and not held. */
  readonly count: number;
  /** The one that it takes first, and its priority. */
  readonly first: JobId;
}

/** What a job occupies. */
export interface RunningJob {
  readonly parts: readonly {
    readonly ranks: readonly number[];
    readonly cores: number;
    readonly gpus: number;
  }[];
  /** When its time limit ends it, in seconds since 1970; 0 for none. */
  readonly expiration: number;
}

export interface DemandQueue {
  readonly active: number;
  /** In any order. */
  readonly pending: readonly PendingGroup[];
  /** The needs of all pending jobs, also of those that cannot run yet. */
  readonly needs: readonly JobNeed[];
  /** The jobs with one of these needs: their number, and the oldest of them with the place of the need in the list. */
  readonly jobsWith: (
    needs: readonly JobNeed[],
    most: number,
  ) => { readonly count: number; readonly oldest: readonly (readonly [JobId, JobNeed])[] };
  readonly running: readonly RunningJob[];
  /** Ranks on which housekeeping runs. */
  readonly housekeeping: readonly number[];
  readonly isStopped: (queue: string | undefined) => boolean;
}

export interface DemandLimits {
  /** The hosts of the instance. */
  readonly maxSize: number;
  /** Within so many seconds a new pod's broker is online. A node that becomes free before that needs no growth. */
  readonly podSeconds: number;
  /** The scheduler starts no job before those that are ahead of it: where one waits for jobs that run, all behind it do. */
  readonly inOrder?: boolean;
}

const mostUnfit = 8;

/** `now` in seconds since 1970. */
export function demandOf(
  queue: DemandQueue,
  nodes: readonly QueueNode[],
  { maxSize, podSeconds, inOrder = false }: DemandLimits,
  now: number,
): Demand {
  const known = knownNodes(nodes, maxSize);
  const taken = new Set([
    ...queue.running.flatMap(({ parts }) => parts.flatMap(({ ranks }) => ranks)),
    ...queue.housekeeping,
  ]);
  const busy = 1 + [...taken].reduce((highest, rank) => Math.max(highest, rank), -1);
  const unfit = unfitOf(queue, known);
  const stays = ({ expiration }: RunningJob) => expiration === 0 || expiration > now + podSeconds;
  const placement = createPlacement(freeNodes(known.nodes, queue.running.filter(stays)), known);
  let wanted = Math.max(1, busy);
  /** The group that needs the most, else the first that has room, else the first. */
  const decides: { most?: PendingGroup; placed?: PendingGroup; first?: PendingGroup } = {};
  for (const group of [...queue.pending].sort(byTurn)) {
    if (queue.isStopped(group.need.queue) || unfit.needs.has(group.need)) continue;
    const { placed, highest } = placement.place(group.need, group.count);
    decides.first ??= group;
    if (placed > 0) decides.placed ??= group;
    if (highest >= wanted) [wanted, decides.most] = [highest + 1, group];
    if (inOrder && placed < group.count) break;
  }
  return {
    wanted: Math.min(wanted, maxSize),
    ...reasonOf(decides.most ?? decides.placed ?? decides.first, decides.placed === undefined),
    busy,
    idle: known.nodes.filter(({ rank, online }) => online && !taken.has(rank)).length,
    active: queue.active,
    unfit: unfit.oldest,
    unfitCount: unfit.count,
  };
}

/** The order in which flux-core's schedulers take jobs (src/bindings/python/flux/scheduler.py, PendingJob): groups stand for their oldest. */
const byTurn = (a: PendingGroup, b: PendingGroup): number =>
  b.priority - a.priority || (a.first < b.first ? -1 : a.first > b.first ? 1 : 0);

/** The nodes that take jobs, each with what no job keeps that `stays`. Housekeeping ends soon. */
function freeNodes(nodes: readonly QueueNode[], stay: readonly RunningJob[]): FreeNode[] {
  const free = nodes
    .filter(({ excluded, closed }) => !excluded && !closed)
    .map((node): FreeNode => ({ ...node, freeCores: node.cores, freeGpus: node.gpus }));
  const byRank = new Map(free.map((node) => [node.rank, node]));
  for (const { parts } of stay)
    for (const { ranks, cores, gpus } of parts)
      for (const rank of ranks) {
        const node = byRank.get(rank);
        if (!node) continue;
        node.freeCores = Math.max(0, node.freeCores - cores);
        node.freeGpus = Math.max(0, node.freeGpus - gpus);
      }
  return free;
}

function unfitOf({ needs, jobsWith }: DemandQueue, { fitOf }: KnownNodes) {
  const why = new Map(
    needs.map((need) => [need, fitOf(need).why] as const).filter(([, text]) => text !== undefined),
  );
  const { count, oldest } = jobsWith([...why.keys()], mostUnfit);
  return {
    needs: why,
    count,
    oldest: oldest.map(([id, need]) => ({ id: formatJobId(id), why: why.get(need) ?? '' })),
  };
}

function reasonOf(group: PendingGroup | undefined, waits: boolean): { reason?: string } {
  if (!group) return {};
  const { need, first, count } = group;
  const size = need.nodes > 0 ? some(need.nodes, 'node') : some(need.slots * need.cores, 'core');
  const what = `${size}${count > 1 ? `, and ${some(count - 1, 'job')} like it` : ''}`;
  const id = formatJobId(first);
  return {
    reason: waits ? `job ${id} needs ${what}: it waits until these are free` : `job ${id} needs ${what}`,
  };
}
