/** Policies beside each other, on the same random workloads, each against what no policy can be better than. */
import { offlineBound } from './offline-bound.ts';
import { fixed, followDemand, horizontal, metrics } from './policies.ts';
import { type MakePolicy, type Outcome, simulate } from './simulate.ts';
import { randomWorkload, type Workload } from './workload.ts';

interface Row {
  readonly name: string;
  readonly policy: MakePolicy;
  readonly startsAt: 'min' | 'max';
}
export const rows: readonly Row[] = [
  { name: 'follows the demand', policy: followDemand, startsAt: 'min' },
  { name: 'HPA, nodes wanted', policy: horizontal(metrics.nodesWanted), startsAt: 'min' },
  { name: 'HPA, active jobs', policy: horizontal(metrics.activeJobs), startsAt: 'min' },
  { name: 'HPA, pending jobs', policy: horizontal(metrics.pendingJobs), startsAt: 'min' },
  { name: 'always maxSize', policy: fixed, startsAt: 'max' },
];

export interface Figures {
  readonly name: string;
  readonly killed: number;
  readonly neverEnded: number;
  /** Beyond the bound, as a part of it. */
  readonly moreNodeTime: number;
  /** Seconds that jobs wait beyond the bound. */
  readonly meanWait: number;
  readonly p95Wait: number;
  readonly changesPerHour: number;
}

export function compare(seeds: number): { readonly jobs: number; readonly figures: readonly Figures[] } {
  const all = Array.from({ length: seeds }, (_, seed) => seed);
  const bounds = all.map((seed) => offlineBound(randomWorkload(seed)));
  const jobs = all.reduce((sum, seed) => sum + randomWorkload(seed).jobs.length, 0);
  const figures = rows.map(({ name, policy, startsAt }) => {
    const waits: number[] = [];
    let [killed, neverEnded, nodeMs, boundMs, changes, hours] = [0, 0, 0, 0, 0, 0];
    for (const seed of all) {
      const workload = randomWorkload(seed);
      const bound = bounds[seed] as (typeof bounds)[number];
      const outcome = simulate(workload, policy, { start: workload[startsAt] });
      killed += outcome.killed;
      neverEnded += workload.jobs.length - outcome.startMs.size;
      nodeMs += outcome.nodeMs;
      boundMs += bound.nodeMsUntil(outcome.endMs);
      changes += outcome.sizes.length - 1;
      hours += outcome.endMs / 3_600_000;
      waits.push(...waitsOf(workload, outcome, bound.startMs));
    }
    waits.sort((a, b) => a - b);
    return {
      ...{ name, killed, neverEnded, moreNodeTime: nodeMs / boundMs - 1, changesPerHour: changes / hours },
      meanWait: waits.reduce((sum, ms) => sum + ms, 0) / waits.length / 1000,
      p95Wait: (waits[Math.floor(waits.length * 0.95)] ?? 0) / 1000,
    };
  });
  return { jobs, figures };
}

/** Of the jobs that have run. */
const waitsOf = ({ jobs }: Workload, { startMs }: Outcome, earliest: ReadonlyMap<number, number>): number[] =>
  jobs.flatMap(({ id }) => {
    const started = startMs.get(id);
    return started === undefined ? [] : [started - (earliest.get(id) ?? 0)];
  });
