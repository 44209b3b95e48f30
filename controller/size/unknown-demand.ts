/**
 * A size that is to follow the demand, which the leader does not report: it stays, and the status has to say so. A link that breaks and is opened
 * again says nothing; since when there is no demand is in memory alone, and what an earlier controller has found holds until there is one.
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { LeaderNews } from '../reconcile/minicluster-status.ts';
import type { SizeOwner } from './next-size.ts';

export interface FollowsDemand {
  readonly owner: SizeOwner;
  /** Undefined while none is ready. */
  readonly leaderPod: Pod | undefined;
  readonly leader: LeaderNews;
  /** The status says so already. */
  readonly wasUnknown: boolean;
}

export interface UnknownDemands {
  /** Why the demand is unknown, and otherwise when it could be. Undefined where the MiniCluster is away, or nothing of it lives. */
  readonly next: (
    key: string,
    live: FollowsDemand | undefined,
  ) => { readonly why: string | undefined; readonly again: number | undefined };
}

/** A new link is tried again within a few seconds, and a broker that starts does not know its queue at once. */
const graceMs = 60_000;

/** `monotonic`: milliseconds. */
export function createUnknownDemands(monotonic: () => number): UnknownDemands {
  const since = new Map<string, { readonly uid: string; readonly ms: number }>();
  const known = { why: undefined, again: undefined };
  return {
    next: (key, live) => {
      const { leader, leaderPod } = live ?? {};
      const hasDemand = typeof leader === 'object' && leader.demand !== undefined;
      if (live?.owner !== 'Demand' || !leaderPod || hasDemand) {
        since.delete(key);
        return known;
      }
      const why = typeof leader === 'object' ? noDemand : noReport;
      if (live.wasUnknown) return { why, again: undefined };
      // Its first report, or the failure of the link, is an event.
      if (leader === 'pending') return known;
      const uid = leaderPod.metadata?.uid ?? '';
      const before = since.get(key);
      const began = before?.uid === uid ? before.ms : monotonic();
      since.set(key, { uid, ms: began });
      const left = began + graceMs - monotonic();
      return left > 0 ? { why: undefined, again: left } : { why, again: undefined };
    },
  };
}

const noReport =
  'No report of the leader arrives, and the size stays: a NetworkPolicy may block port 8051 of its pod, the controller may be outside of the cluster, or the pods may run an older flux-pod.';
const noDemand =
  'The leader reports no demand, and the size stays: its pods may run an older flux-pod or have been created without minSize and maxSize, or its broker does not answer. Its log says more.';
