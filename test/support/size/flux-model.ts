/**
 * A Flux instance as far as its size matters: a queue that is served in order of submission, as sched-simple does, and ranks, of which jobs
 * get the lowest that are free. Only times are passed in, nothing waits.
 */
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
      const used = usedOf();
      const busy = 1 + ranks.findLastIndex(({ jobs }) => jobs.size > 0);
      let wanted = Math.max(1, busy);
      for (const job of queue) {
        const placed = place(job, used, () => true);
        // What does not fit beside the others starts as soon as enough of them have ended, on whichever nodes.
        if (!placed) return { wanted: max, busy };
        for (const rank of placed) used[rank] = (used[rank] ?? 0) + share(job);
        wanted = Math.max(wanted, 1 + (placed.at(-1) ?? 0));
      }
      return { wanted, busy };
    },
  };
}
