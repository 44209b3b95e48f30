import type { Job, JobSpec } from 'kubernetes-types/batch/v1.d.ts';
import { ExitCode, signalCode } from '../../agent/errors.ts';
import { type Cluster, fluxContainerName } from './minicluster/cluster.ts';
import { metadataOf } from './pod/labels.ts';
import { podTemplate, restartPolicyOf } from './pod/pod-template.ts';

/** Kubernetes' own default. */
const defaultTries = 6;
const largestInt32 = 2 ** 31 - 1;

/**
 * The Indexed Job: one pod a broker, and index 0, which leads, decides. Completions and parallelism are equal, so that the
 * Job can be grown and shrunk (https://kubernetes.io/docs/concepts/workloads/controllers/job/#elastic-indexed-jobs).
 */
export function jobOf(cluster: Cluster, scripts: Readonly<Record<string, string>>): Job {
  const { spec, size, names, miniCluster } = cluster;
  const { jobLabels } = spec;
  const annotations = Object.fromEntries(
    Object.entries(miniCluster.metadata.annotations ?? {}).filter(
      ([key]) => !key.startsWith('kubectl.kubernetes.io/'),
    ),
  );
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadataOf(cluster, names.job, { ...(jobLabels && { labels: jobLabels }), annotations }),
    spec: {
      completionMode: 'Indexed',
      completions: size,
      parallelism: size,
      ...retriesOf(cluster),
      ...(spec.deadlineSeconds !== undefined && { activeDeadlineSeconds: spec.deadlineSeconds }),
      ...timeToLive(spec),
      ...(spec.suspend && { suspend: true }),
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
      // Two pods of one index would have one hostname.
      podReplacementPolicy: 'Failed',
      ...failurePolicy(cluster),
      template: podTemplate(cluster, scripts),
    },
  };
}

/** Seconds for which a Job stays after its end. */
function timeToLive({
  cleanup,
  ttlSecondsAfterFinished,
}: Cluster['spec']): Pick<JobSpec, 'ttlSecondsAfterFinished'> {
  const seconds = ttlSecondsAfterFinished ?? (cleanup ? 0 : undefined);
  return seconds === undefined ? {} : { ttlSecondsAfterFinished: seconds };
}

/**
 * The retries of a Job. A MiniCluster with `backoffLimit` requests retries of the program. All pods exit with the program's exit code,
 * so that each run is a failure of each index: counted together, four pods would reach the limit at the second run, and be replaced
 * only after 80 s, because the Job controller's backoff of 10 s doubles with every failed pod; by index it stays 10 s.
 *
 * Otherwise failures are counted together. By index the controller keeps a failed pod until its replacement exists
 * (job_controller.go, canRemoveFinalizer), which in a namespace that is being deleted is never created.
 */
function retriesOf(
  cluster: Cluster,
): Pick<JobSpec, 'backoffLimit' | 'backoffLimitPerIndex' | 'maxFailedIndexes'> {
  const tries = programTries(cluster);
  if (tries !== undefined) return { backoffLimitPerIndex: tries, maxFailedIndexes: 0 };
  const { spec, maxSize } = cluster;
  return { backoffLimit: Math.min((spec.backoffLimit ?? defaultTries) * maxSize, largestInt32) };
}

/** Kubernetes counts by index, and takes a podFailurePolicy, only with restartPolicy Never. */
const programTries = (cluster: Cluster): number | undefined =>
  restartPolicyOf(cluster) === 'Never' ? cluster.spec.backoffLimit : undefined;

/** Exit codes that no second try changes: errors.ts has the meaning of each. */
const nonRetriable = [ExitCode.usage, ExitCode.noFlux, ExitCode.certificate, ExitCode.configuration];
/** Exit codes that are not the program's doing: no peers, and what the kubelet and the kernel do to a container. */
const circumstances = [ExitCode.peersUnavailable, signalCode('SIGKILL'), signalCode('SIGTERM')];

/**
 * A pod that was evicted or lost its node does not count. A program that fails fails the Job at once, unless the MiniCluster asks for more
 * tries: to run an expensive program again is its owner's decision.
 */
function failurePolicy(cluster: Cluster): Pick<JobSpec, 'podFailurePolicy'> {
  if (restartPolicyOf(cluster) !== 'Never') return {};
  const containerName = fluxContainerName(cluster);
  return {
    podFailurePolicy: {
      rules: [
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes:
            programTries(cluster) === undefined
              ? { containerName, operator: 'NotIn', values: circumstances }
              : { containerName, operator: 'In', values: nonRetriable },
        },
      ],
    },
  };
}
