import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.d.ts';
import type { Cluster } from './minicluster/cluster.ts';
import { metadataOf } from './pod/labels.ts';
import { indexLabel, jobNameLabel } from './reserved/names.ts';

/**
 * Keeps a drain of nodes from ending the run: the leader is not evicted, and as many followers stay as the quorum needs. A Job
 * has no scale subresource, so minAvailable must be a number
 * (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#arbitrary-controllers-and-selectors), and as a pod may be in one
 * budget only, there are two. Pods that are not ready yet may go.
 */
export function disruptionBudgets(cluster: Cluster): PodDisruptionBudget[] {
  const budget = (role: string, minAvailable: number, operator: 'In' | 'NotIn'): PodDisruptionBudget => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(cluster, `${cluster.name}-${role}`),
    spec: {
      minAvailable,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: {
        matchLabels: { [jobNameLabel]: cluster.name },
        matchExpressions: [{ key: indexLabel, operator, values: ['0'] }],
      },
    },
  });
  return [
    budget('leader', 1, 'In'),
    ...(cluster.quorum > 1 ? [budget('followers', cluster.quorum - 1, 'NotIn')] : []),
  ];
}
