import type { Affinity } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import { clusterLabel } from '../reserved/names.ts';

/**
 * The Operator's preferences: pods of a cluster near each other, in one zone, and each on a node of its own. The label is
 * ours, which no pod of another cluster can have.
 */
export function affinityOf({ spec, name }: Cluster): { affinity?: Affinity } {
  const { nodeAffinity = {} } = spec.pod ?? {};
  const together = (topologyKey: string) => ({
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: { labelSelector: { matchLabels: { [clusterLabel]: name } }, topologyKey },
      },
    ],
  });
  const labels = Object.entries(nodeAffinity);
  const affinity: Affinity = {
    ...(labels.length > 0 && {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: labels.map(([key, values]) => ({ key, operator: 'In', values })) },
          ],
        },
      },
    }),
    ...(!spec.network?.disableAffinity && {
      podAffinity: together('topology.kubernetes.io/zone'),
      podAntiAffinity: together('kubernetes.io/hostname'),
    }),
  };
  return Object.keys(affinity).length > 0 ? { affinity } : {};
}
