import type { Job, JobSpec } from 'kubernetes-types/batch/v1.d.ts';
import { ExitCode } from '../errors.ts';
import type { Cluster } from './cluster.ts';
import { metadataOf } from './labels.ts';
import { podTemplate, restartPolicyOf } from './pod-template.ts';

/** Kubernetes' own default. The Operator's is 100, but its scripts end with 0 whatever the program did. */
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
      ...triesOf(cluster),
      ...(spec.deadlineSeconds !== undefined && { activeDeadlineSeconds: spec.deadlineSeconds }),
      ...(spec.cleanup && { ttlSecondsAfterFinished: 0 }),
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
      // Two pods of one index would have one hostname.
      podReplacementPolicy: 'Failed',
      ...failurePolicy(cluster),
      template: podTemplate(cluster, scripts),
    },
  };
}

/**
 * All pods end with the outcome of the leader, so that one try that fails is a failure of each index. Counted together, four pods would
 * use up the limit at the second try, and be made anew only after 80 s, because the controller waits 10 s and doubles that with every
 * failed pod; by index it waits 10 s. Kubernetes counts by index only with restartPolicy Never.
 */
function triesOf(
  cluster: Cluster,
): Pick<JobSpec, 'backoffLimit' | 'backoffLimitPerIndex' | 'maxFailedIndexes'> {
  const tries = cluster.spec.backoffLimit ?? defaultTries;
  if (restartPolicyOf(cluster) === 'Never') return { backoffLimitPerIndex: tries, maxFailedIndexes: 0 };
  return { backoffLimit: Math.min(tries * cluster.size, largestInt32) };
}

/** Exit codes that no second try changes: errors.ts says what each means. */
const hopeless = [ExitCode.usage, ExitCode.noFlux, ExitCode.certificate, ExitCode.configuration];

/**
 * A pod that was evicted or lost its node does not count; one that says the configuration is wrong fails the Job at once.
 * Only with restartPolicy Never does the API server take such a policy.
 */
function failurePolicy(cluster: Cluster): Pick<JobSpec, 'podFailurePolicy'> {
  if (restartPolicyOf(cluster) !== 'Never') return {};
  return {
    podFailurePolicy: {
      rules: [
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes: {
            containerName: cluster.runner.container.name ?? 'flux',
            operator: 'In',
            values: hopeless,
          },
        },
      ],
    },
  };
}
