/** Between what a MiniCluster asks for and the policy of its size: pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesObject } from '../kubernetes/object.ts';
import { type Desired, type Invalid, isInvalid } from '../reconcile/desired.ts';
import { isSuspended, jobEnd, readyLeader } from '../reconcile/job-state.ts';
import {
  type LeaderNews,
  type MiniClusterStatus,
  wasDemandUnknown,
} from '../reconcile/minicluster-status.ts';
import type { LiveMiniCluster } from './live-size.ts';
import type { FollowsDemand } from './unknown-demand.ts';

/** What the policy of the size decides on; undefined where nothing is live. */
export function liveMiniCluster(
  asked: Desired | Invalid,
  { job, pods }: { readonly job: Job | undefined; readonly pods: readonly Pod[] },
  leader: LeaderNews,
): LiveMiniCluster | undefined {
  if (isInvalid(asked) || !job || jobEnd(job)) return undefined;
  const { stabilizationMs, quorum: min, maxSize: max, sizeDecidedBy: owner } = asked;
  const followsDemand = stabilizationMs !== undefined;
  return { job, pods, leader, owner, followsDemand, limits: { min, max }, windowMs: stabilizationMs ?? 0 };
}

/** Whose demand is to be known; undefined where nothing lives. */
export function followsDemand(
  asked: Desired | Invalid,
  { job, pods }: { readonly job: Job | undefined; readonly pods: readonly Pod[] },
  leader: LeaderNews,
  previous: MiniClusterStatus | undefined,
): FollowsDemand | undefined {
  if (isInvalid(asked) || !job || jobEnd(job) || isSuspended(job)) return undefined;
  const wasUnknown = wasDemandUnknown(previous, job);
  return { owner: asked.sizeDecidedBy, leaderPod: readyLeader(pods), leader, wasUnknown };
}

/** Why the size is another one where the demand does not decide. */
function whyOf(asked: Desired | Invalid): string {
  const owner = isInvalid(asked) ? 'Spec' : asked.sizeDecidedBy;
  return owner.startsWith('Scale:') ? `${owner.slice(6)} has scaled it` : 'spec.size asks for it';
}

export function scaledEvent(
  asked: Desired | Invalid,
  reason: string | undefined,
  before: (KubernetesObject & Job) | undefined,
  after: (KubernetesObject & Job) | undefined,
) {
  const [from, to] = [before?.spec?.completions, after?.spec?.completions];
  if (from === to || before?.metadata.uid !== after?.metadata.uid) return undefined;
  return {
    type: 'Normal',
    reason: 'Scaled',
    action: 'Scale',
    note: `${from} to ${to}: ${reason ?? whyOf(asked)}`,
  } as const;
}
