/**
 * What the Job controller of Kubernetes does about a pod that has failed: kubernetes pkg/controller/job/pod_failure_policy.go
 * (matchPodFailurePolicy), and the description of `podFailurePolicy` in the API reference of batch/v1. Rules are tried in order; the first
 * one that matches decides. Exit code 0 matches no rule. A pod that no rule matches counts towards the limits.
 */
import type { JobSpec, PodFailurePolicyRule } from 'kubernetes-types/batch/v1.d.ts';

/** A failed pod: the exit codes of its containers by name, and the types of its conditions that are True. */
export interface FailedPod {
  readonly exitCodes?: Readonly<Record<string, number>>;
  readonly conditions?: readonly string[];
}

/** `replaced` counts towards the limits; `replaced for free` does not. */
export type Reaction = 'the Job fails' | 'replaced' | 'replaced for free';

/** `failures` is how often it has happened before: of this index where failures are counted by index, else of all pods. */
export function reactionTo(
  { podFailurePolicy, ...limits }: Partial<JobSpec>,
  pod: FailedPod,
  failures = 0,
): Reaction {
  const rule = podFailurePolicy?.rules.find((each) => matches(each, pod));
  if (rule?.action === 'FailJob') return 'the Job fails';
  if (rule?.action === 'Ignore') return 'replaced for free';
  const { backoffLimitPerIndex, maxFailedIndexes, backoffLimit = 6 } = limits;
  if (backoffLimitPerIndex === undefined) return failures < backoffLimit ? 'replaced' : 'the Job fails';
  if (maxFailedIndexes !== 0) throw new Error('only maxFailedIndexes: 0 is known here');
  return failures < backoffLimitPerIndex ? 'replaced' : 'the Job fails';
}

function matches(
  { onExitCodes, onPodConditions }: PodFailurePolicyRule,
  { exitCodes = {}, conditions = [] }: FailedPod,
): boolean {
  if (onExitCodes) {
    const { containerName, operator, values } = onExitCodes;
    return Object.entries(exitCodes).some(
      ([name, code]) =>
        code !== 0 &&
        (containerName === undefined || containerName === name) &&
        values.includes(code) === (operator === 'In'),
    );
  }
  return (onPodConditions ?? []).some(
    ({ type, status }) => (status ?? 'True') === 'True' && conditions.includes(type),
  );
}
