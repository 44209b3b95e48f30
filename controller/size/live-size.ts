/** The size of each live MiniCluster: what the policy sees of it, and what it remembers, which is in memory alone. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { soonest } from '../kubernetes/controller-clock.ts';
import { indexOf } from '../reconcile/job-state.ts';
import type { LeaderNews } from '../reconcile/minicluster-status.ts';
import { type NextSize, nextSize, type SizeInput, type SizeState } from './next-size.ts';

export interface LiveMiniCluster extends Pick<SizeInput, 'limits' | 'windowMs' | 'owner'> {
  /** `spec.autoscaling` is there. */
  readonly followsDemand: boolean;
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly leader: LeaderNews;
}

export interface LiveSize extends Pick<NextSize, 'keep' | 'again' | 'reason'> {
  /** Undefined where the demand does not decide. */
  readonly size: number | undefined;
}

export interface LiveSizes {
  /** Undefined where nothing is to be decided, and nothing is left of what was decided before. `live`: undefined where nothing lives. */
  readonly next: (key: string, live: LiveMiniCluster | undefined) => LiveSize | undefined;
}

export interface LiveSizesOptions {
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createLiveSizes({ monotonic, now }: LiveSizesOptions): LiveSizes {
  const states = new Map<string, { readonly job: string; readonly state: SizeState | undefined }>();
  return {
    next: (key, live) => {
      if (!live) {
        states.delete(key);
        return undefined;
      }
      const { followsDemand, job, pods, leader, ...given } = live;
      const uid = job.metadata?.uid ?? '';
      const known = states.get(key);
      if (!followsDemand && !known) return undefined;
      const size = job.spec?.completions ?? 0;
      const leavingMs = untilGone(pods, size, now());
      const report = typeof leader === 'object' ? leader : undefined;
      const { state, ...next } = nextSize(
        known?.job === uid ? known.state : undefined,
        { ...given, size, demand: report?.demand, freed: report?.freed, leaving: leavingMs !== undefined },
        monotonic(),
      );
      // A policy that is switched off takes back what it has asked for, which the leader hears when there is a link.
      const isOver = !followsDemand && report !== undefined && leavingMs === undefined;
      if (isOver) states.delete(key);
      else states.set(key, { job: uid, state });
      return {
        ...next,
        size: given.owner === 'Demand' ? next.size : undefined,
        again: soonest(next.again, leavingMs),
      };
    },
  };
}

/**
 * Until when pods of ranks from `size` up may still be there; undefined where there are none. A pod is gone by its deletionTimestamp, or its node
 * no longer answers; one that the Job controller is still to delete has none, and its deletion is seen.
 */
function untilGone(pods: readonly Pod[], size: number, now: number): number | undefined {
  const left = pods
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .filter((pod) => (indexOf(pod) ?? -1) >= size)
    .map(({ metadata }) => Date.parse(String(metadata?.deletionTimestamp ?? '')) - now)
    .filter((ms) => !(ms <= 0));
  if (left.length === 0) return undefined;
  return Math.max(...left.map((ms) => (Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms)));
}
