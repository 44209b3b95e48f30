/** Which ranks are drained, and which take jobs again, for a size: pure. */
import { isShrinkReason, stoppingReason } from '../flux/drain-reasons.ts';
import { drainedRanks, type ResourceStatus } from '../flux/services/resource.ts';

export interface ShrinkPlan {
  /** Ranks from the size on that take jobs. */
  readonly drain: readonly number[];
  /** Those that are drained because their pod stops: the one that takes its place would take jobs. */
  readonly takeOver: readonly number[];
  /** Ranks below the size that were drained for a smaller one. */
  readonly undrain: readonly number[];
}

/** For the ranks below `size` to take jobs, and no others. An excluded rank takes none, and cannot be drained. */
export function shrinkPlan(
  size: number,
  status: Pick<ResourceStatus, 'R' | 'drain' | 'exclude'>,
): ShrinkPlan {
  const drained = drainedRanks(status);
  const closed = new Set([...status.exclude, ...drained.map(({ rank }) => rank)]);
  const ranks = status.R.execution.R_lite.flatMap(({ rank }) => rank);
  const ranksOf = (which: (drained: { rank: number; reason: string }) => boolean) =>
    drained.filter(which).map(({ rank }) => rank);
  return {
    drain: ranks.filter((rank) => rank >= size && !closed.has(rank)),
    takeOver: ranksOf(({ rank, reason }) => rank >= size && reason === stoppingReason),
    undrain: ranksOf(({ rank, reason }) => rank < size && isShrinkReason(reason)),
  };
}
