/**
 * An elastic MiniCluster on virtual time: the Job and its pods, the instance with its queue, and a policy that decides on the size. What a policy
 * can see it sees late, and what it asks for happens late, as on a cluster.
 */
import { type Agenda, createAgenda } from './agenda.ts';
import { createFluxModel, type FluxModel, type Rank, type RunningJob } from './flux-model.ts';
import type { Workload, WorkloadJob } from './workload.ts';

/** What a policy has to do with. */
export interface World {
  readonly agenda: Agenda;
  readonly flux: FluxModel;
  readonly workload: Workload;
  /** Of the Job. */
  readonly size: () => number;
  readonly setSize: (size: number) => void;
  /** A pod of this rank is there, on its way, running or on its way out. */
  readonly hasPod: (rank: number) => boolean;
  /** To be called when ranks are about to be taken away: what comes between is submitted then. */
  readonly shrinks: () => void;
}

export interface Policy {
  /** Something has changed: jobs, brokers or pods. */
  readonly changed: () => void;
}
export type MakePolicy = (world: World) => Policy;

export interface Outcome {
  /** Of the jobs that have ended, by their id: the last start. Milliseconds. */
  readonly startMs: ReadonlyMap<number, number>;
  /** Jobs that ran on a node that was taken away, each time. */
  readonly killed: number;
  /** Milliseconds, from the creation of each pod to its end. */
  readonly nodeMs: number;
  /** When the last job had ended and the size had come to rest, or nothing was to be expected any more. */
  readonly endMs: number;
  /** Of the Job, from the start. */
  readonly sizes: readonly { readonly ms: number; readonly size: number }[];
}

/** A pod is away, on its way in, running, or on its way out: each of them is another one. */
interface PodOfRank {
  state: 'away' | 'starting' | 'running' | 'stopping';
  since: number;
  number: number;
}

const times = {
  /** From a change of the Job to its pods. */
  jobControllerMs: 200,
  /** A policy under which nothing happens for so long leaves the jobs that wait for ever. */
  patienceMs: 3_600_000,
  /** After the last submission. A policy that kills the same job again and again has no end. */
  mostMs: 12 * 3_600_000,
};

export interface SimulateOptions {
  /** Of the Job. */
  readonly start?: number;
  /** Jobs that are submitted in the very moments of a shrink, each time one; called once for each. */
  readonly between?: () => { readonly afterMs: number; readonly job: WorkloadJob } | undefined;
}

export function simulate(workload: Workload, makePolicy: MakePolicy, options: SimulateOptions = {}): Outcome {
  const { start = workload.min, between = () => undefined } = options;
  const { max } = workload;
  const agenda = createAgenda();
  const flux = createFluxModel(max, workload.coresPerNode);
  const pods: PodOfRank[] = Array.from({ length: max }, () => ({ state: 'away', since: 0, number: 0 }));
  const startMs = new Map<number, number>();
  const sizes = [{ ms: 0, size: start }];
  let [size, killed, nodeMs, lastProgress, waiting] = [start, 0, 0, 0, workload.jobs.length];

  const podAt = (rank: number) => pods[rank] as PodOfRank;
  const enter = (rank: number, state: PodOfRank['state']) => {
    const pod = podAt(rank);
    if (state === 'away') nodeMs += agenda.now() - pod.since;
    if (state === 'starting') pod.since = agenda.now();
    pod.state = state;
    pod.number++;
    policy.changed();
  };
  /** Acts later, where the pod is still the same and in the same state. */
  const later = (rank: number, ms: number, act: () => void) => {
    const { number } = podAt(rank);
    agenda.after(ms, () => podAt(rank).number === number && act());
  };

  /** The Job controller: pods of ranks that the Job no longer has are deleted, and others created when there is none of that index. */
  function syncJob(): void {
    for (let rank = 0; rank < max; rank++) {
      const { state } = podAt(rank);
      if (rank >= size && (state === 'starting' || state === 'running')) remove(rank, state);
      if (rank < size && state === 'away') create(rank);
    }
  }
  function create(rank: number): void {
    enter(rank, 'starting');
    later(rank, workload.podMs(), () => {
      enter(rank, 'running');
      (flux.ranks[rank] as Rank).isOnline = true;
      progress();
    });
  }
  function remove(rank: number, state: string): void {
    enter(rank, 'stopping');
    later(rank, state === 'running' ? workload.signalMs() : 0, () => {
      const lost = flux.lose(rank);
      killed += lost.length;
      for (const { job } of lost) again(job);
      later(rank, state === 'running' ? workload.stopMs() : 0, () => {
        enter(rank, 'away');
        syncJob();
      });
      progress();
    });
  }
  /** As Flux's users do: what was lost is submitted once more. */
  const again = (job: WorkloadJob) => agenda.after(1000, () => submit(job));

  function submit(job: WorkloadJob): void {
    flux.submit(job);
    progress();
  }
  function progress(): void {
    lastProgress = agenda.now();
    for (const running of flux.schedule()) {
      startMs.set(running.job.id, agenda.now());
      agenda.after(running.job.runMs, () => end(running));
    }
    policy.changed();
  }
  function end(running: RunningJob): void {
    if (!flux.running.has(running)) return;
    flux.end(running);
    waiting--;
    progress();
  }
  function crash(rank: number): void {
    if (podAt(rank).state !== 'running') return;
    for (const { job } of flux.lose(rank)) again(job);
    enter(rank, 'away');
    agenda.after(times.jobControllerMs, syncJob);
    progress();
  }

  const world: World = {
    ...{ agenda, flux, workload, size: () => size },
    setSize: (next) => {
      if (next === size) return;
      if (next < size) world.shrinks();
      size = next;
      sizes.push({ ms: agenda.now(), size });
      agenda.after(times.jobControllerMs, syncJob);
    },
    hasPod: (rank) => podAt(rank).state !== 'away',
    shrinks: () => {
      const next = between();
      if (!next) return;
      waiting++;
      agenda.after(next.afterMs, () => submit(next.job));
    },
  };
  const policy = makePolicy(world);
  for (const job of workload.jobs) agenda.after(job.submitMs, () => submit(job));
  for (const { ms, rank } of workload.crashes) agenda.after(ms, () => crash(rank));
  syncJob();

  const isAtRest = () =>
    waiting === 0 && (size === workload.min || sizes.length === 1) && pods.every(isAsWanted);
  const isAsWanted = ({ state }: PodOfRank, rank: number) => state === (rank < size ? 'running' : 'away');
  const last = (workload.jobs.at(-1)?.submitMs ?? 0) + times.mostMs;
  while (!isAtRest() && agenda.now() < Math.min(lastProgress + times.patienceMs, last))
    if (!agenda.next()) break;
  for (const { state, since } of pods) if (state !== 'away') nodeMs += agenda.now() - since;
  for (const { id } of [...flux.queue, ...[...flux.running].map(({ job }) => job)]) startMs.delete(id);
  return { startMs, killed, nodeMs, endMs: agenda.now(), sizes };
}
