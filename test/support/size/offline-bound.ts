/**
 * What no policy can be better than, in place of the optimum itself, which is hard to find. Jobs start as early as where all `max` nodes are there
 * from the beginning and none is lost. The nodes are there for as long as jobs have them, packed without a gap, and at least `min` of them.
 */
import { fixed } from './policies.ts';
import { simulate } from './simulate.ts';
import type { Workload } from './workload.ts';

export interface OfflineBound {
  /** By the job's id. */
  readonly startMs: ReadonlyMap<number, number>;
  /** Milliseconds of nodes until `endMs`. */
  readonly nodeMsUntil: (endMs: number) => number;
}

export function offlineBound(workload: Workload): OfflineBound {
  const { min, max, jobs, coresPerNode } = workload;
  const { startMs } = simulate({ ...workload, podMs: () => 0, crashes: [] }, fixed, { start: max });
  const work = jobs.reduce(
    (sum, { nodes, cores, runMs }) => sum + (nodes || cores / coresPerNode) * runMs,
    0,
  );
  return { startMs, nodeMsUntil: (endMs) => Math.max(work, min * endMs) };
}
