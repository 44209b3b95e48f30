/** What the Job and its pods show of a MiniCluster: pure readings of their status. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { indexLabel } from '../render/reserved/names.ts';
import { isTrue } from './conditions.ts';

/** How a Job ended. */
export interface JobEnd {
  readonly kind: 'Complete' | 'Failed';
  /** The Job controller's own, such as PodFailurePolicy or DeadlineExceeded. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly time: string | undefined;
}

/** The end of a Job; undefined while it has none. */
export function jobEnd({ status = {} }: Job): JobEnd | undefined {
  const condition = status.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  if (!condition) return undefined;
  const { type, reason, message, lastTransitionTime } = condition;
  return {
    kind: type as JobEnd['kind'],
    reason: reason ?? type,
    message: message ?? '',
    time: status.completionTime ?? lastTransitionTime,
  };
}

export const isSuspended = ({ spec, status }: Job): boolean =>
  spec?.suspend === true && isTrue(status?.conditions, 'Suspended');

/** How the container of a pod that runs Flux ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  /** The agent's last sentence (terminationMessagePath). */
  readonly message: string;
  /** RFC 3339. */
  readonly finishedAt: string;
}

/**
 * The end of the leader's container that runs Flux, the only one of the Job's template beside native sidecars: of the pod of index 0 that
 * ended last. Undefined while none has ended, and where the pods have been deleted.
 */
export function leaderEnd({ spec }: Job, pods: readonly Pod[]): ContainerEnd | undefined {
  const containerName = spec?.template.spec?.containers[0]?.name;
  const ends = pods
    .filter((pod) => indexOf(pod) === 0)
    .flatMap(({ status }): ContainerEnd[] => {
      const container = status?.containerStatuses?.find(({ name }) => name === containerName);
      const ended = container?.state?.terminated ?? container?.lastState?.terminated;
      if (!ended) return [];
      return [
        {
          exitCode: ended.exitCode,
          message: ended.message?.trim() ?? '',
          finishedAt: ended.finishedAt ?? '',
        },
      ];
    });
  return ends.sort((a, b) => a.finishedAt.localeCompare(b.finishedAt)).at(-1);
}

/** The completion index of a pod; undefined for a pod of another kind. */
export function indexOf({ metadata }: Pod): number | undefined {
  const label = metadata?.labels?.[indexLabel];
  return label === undefined ? undefined : Number(label);
}

/** The pods of the Job that have neither ended nor been deleted. */
export const activePods = (pods: readonly Pod[]): Pod[] =>
  pods.filter(
    ({ metadata, status }) =>
      metadata?.deletionTimestamp === undefined &&
      status?.phase !== 'Succeeded' &&
      status?.phase !== 'Failed',
  );

export const isReady = ({ status }: Pod): boolean => isTrue(status?.conditions, 'Ready');

/** The leader's pod, where it is ready: the quorum is online. */
export const readyLeader = (pods: readonly Pod[]): Pod | undefined =>
  activePods(pods).find((pod) => indexOf(pod) === 0 && isReady(pod));

/** Why a pod does not start, in the kubelet's and the scheduler's words: of the first pod that has a reason. */
export function startProblem(pods: readonly Pod[]): string | undefined {
  for (const { metadata, status } of pods) {
    const unscheduled = status?.conditions?.find(
      ({ type, status: is, reason }) =>
        type === 'PodScheduled' && is === 'False' && reason === 'Unschedulable',
    );
    if (unscheduled) return `${metadata?.name} cannot be scheduled: ${unscheduled.message}`;
    const waiting = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
      ({ state }) => state?.waiting && !ordinary.has(state.waiting.reason ?? ''),
    );
    const { reason, message } = waiting?.state?.waiting ?? {};
    if (waiting)
      return `${metadata?.name}, container ${waiting.name}: ${[reason, message].filter(Boolean).join(': ')}`;
  }
  return undefined;
}

/** Reasons of containers that are about to start. */
const ordinary = new Set(['', 'ContainerCreating', 'PodInitializing']);
