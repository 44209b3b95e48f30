/**
 * A Flux instance as far as its size matters: a queue that is served in order of submission, as sched-simple does, and ranks, of which jobs
 * get the lowest that are free. The demand is the agent's own.
 */
import { demandOf } from '../../../agent/demand/demand.ts';
import type { JobNeed } from '../../../agent/demand/job-need.ts';
import type { WorkloadJob } from './workload.ts';

export interface Rank {
  isOnline: boolean;
  isDrained: boolean;
  /** Cores of jobs that share the node, or all of it for a job that has it alone. */
  used: number;
  readonly jobs: Set<RunningJob>;
}

export interface RunningJob {
  readonly job: WorkloadJob;
  readonly ranks: readonly number[];
}

export interface FluxModel {
  readonly ranks: readonly Rank[];
  readonly queue: readonly WorkloadJob[];
  readonly running: ReadonlySet<RunningJob>;
  readonly submit: (job: WorkloadJob) => void;
  /** Starts what can start, in order. */
  readonly schedule: () => RunningJob[];
  readonly end: (running: RunningJob) => void;
  /** The broker has gone; its jobs, which are ended. */
  readonly lose: (rank: number) => RunningJob[];
  /** The least size for all jobs, and 1 + the highest rank with one. */
  readonly demand: () => { readonly wanted: number; readonly busy: number };
}

export function createFluxModel(max: number, coresPerNode: number): FluxModel {
  const ranks: Rank[] = Array.from({ length: max }, () => ({
    ...{ isOnline: false, isDrained: false, used: 0, jobs: new Set<RunningJob>() },
  }));
  const queue: WorkloadJob[] = [];
  const running = new Set<RunningJob>();

  /** The lowest ranks that have room; undefined where there are not enough. */
  function place({ nodes, cores }: WorkloadJob, used: readonly number[], can: (rank: number) => boolean) {
    const found: number[] = [];
    const most = nodes > 0 ? 0 : coresPerNode - cores;
    for (let rank = 0; rank < max; rank++) {
      if ((used[rank] ?? 0) > most || !can(rank)) continue;
      found.push(rank);
      if (found.length === Math.max(1, nodes)) return found;
    }
    return undefined;
  }
  const share = ({ nodes, cores }: WorkloadJob) => (nodes > 0 ? coresPerNode : cores);
  const needOf = ({ nodes, cores }: WorkloadJob): JobNeed => ({
    ...{ nodes, slots: 1, cores: nodes > 0 ? coresPerNode : cores, gpus: 0, exclusive: nodes > 0 },
    ...{ constraint: undefined, queue: undefined },
  });
  const usedOf = () => ranks.map(({ used }) => used);

  function end(ended: RunningJob): void {
    if (!running.delete(ended)) return;
    for (const rank of ended.ranks) {
      const { jobs } = ranks[rank] as Rank;
      jobs.delete(ended);
      (ranks[rank] as Rank).used -= share(ended.job);
    }
  }

  return {
    ranks,
    queue,
    running,
    end,
    submit: (job) => void queue.push(job),
    schedule: () => {
      const started: RunningJob[] = [];
      for (let job = queue[0]; job; job = queue[0]) {
        const placed = place(job, usedOf(), (rank) => {
          const { isOnline, isDrained } = ranks[rank] as Rank;
          return isOnline && !isDrained;
        });
        if (!placed) break;
        queue.shift();
        const begun = { job, ranks: placed };
        running.add(begun);
        started.push(begun);
        for (const rank of placed) {
          (ranks[rank] as Rank).used += share(job);
          (ranks[rank] as Rank).jobs.add(begun);
        }
      }
      return started;
    },
    lose: (rank) => {
      const lost = [...(ranks[rank] as Rank).jobs];
      lost.forEach(end);
      (ranks[rank] as Rank).isOnline = false;
      return lost;
    },
    demand: () => {
      const queued = {
        active: queue.length + running.size,
        pending: queue.map((job, place) => ({
          ...{ need: needOf(job), priority: 16, count: 1, first: BigInt(place) },
        })),
        needs: [],
        jobsWith: () => ({ count: 0, oldest: [] }),
        running: [...running].map(({ job, ranks: on }) => ({
          ...{ parts: [{ ranks: on, cores: share(job), gpus: 0 }], expiration: 0 },
        })),
        housekeeping: [],
        isStopped: () => false,
      };
      const nodes = ranks.map(({ isOnline }, rank) => ({
        ...{
          rank,
          host: `mc-${rank}`,
          properties: new Set<string>(),
          online: isOnline,
          excluded: false,
          closed: false,
        },
        ...{ cores: coresPerNode, gpus: 0 },
      }));
      return demandOf(queued, nodes, { maxSize: max, podSeconds: 60, inOrder: true }, 0);
    },
  };
}
