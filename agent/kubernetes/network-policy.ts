import type { NetworkPolicy, NetworkPolicyIngressRule } from 'kubernetes-types/networking/v1.d.ts';
import { burstingOf } from './bursting.ts';
import type { Cluster } from './cluster.ts';
import { metadataOf } from './labels.ts';
import { clusterLabel } from './names.ts';
import { ports } from './ports.ts';

/**
 * Who may reach the pods: each other, whoever uses the ports that the MiniCluster names, and the namespace where it is to
 * use flux-pod's HTTP. The kubelet's probes come from the node, which no policy keeps out.
 */
export function networkPolicy(cluster: Cluster): NetworkPolicy {
  const { name, miniCluster, options, runner, sidecars, services } = cluster;
  const members = { podSelector: { matchLabels: { [clusterLabel]: name } } };
  const open = [
    ...new Set([runner, ...sidecars, ...services].flatMap(({ container }) => container.ports ?? [])),
  ];
  const ingress: NetworkPolicyIngressRule[] = [
    { from: [members] },
    ...(options.extras.has('http-service')
      ? [{ from: [{ podSelector: {} }], ports: tcp([ports.http]) }]
      : []),
    // Brokers of other clusters come from outside.
    ...(burstingOf(miniCluster) ? [{ ports: tcp([ports.overlay]) }] : []),
    ...(open.length > 0 ? [{ ports: tcp(open) }] : []),
  ];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(cluster, name),
    spec: { ...members, policyTypes: ['Ingress'], ingress },
  };
}

const tcp = (numbers: readonly number[]) => numbers.map((port) => ({ port, protocol: 'TCP' }));
