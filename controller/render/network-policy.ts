import type { NetworkPolicy, NetworkPolicyIngressRule } from 'kubernetes-types/networking/v1.d.ts';
import { burstingOf } from './minicluster/bursting.ts';
import type { Cluster } from './minicluster/cluster.ts';
import { metadataOf } from './pod/labels.ts';
import { appLabel, clusterLabel, controllerName } from './reserved/names.ts';
import { ports } from './reserved/ports.ts';

/**
 * The ingress of the pods: from each other, to the ports that the MiniCluster names from everywhere, and to flux-pod's HTTP from
 * the namespace that may use it and from the controller's pods. The kubelet's probes come from the node, to which no policy applies.
 */
export function networkPolicy(cluster: Cluster): NetworkPolicy {
  const { name, miniCluster, options, fluxContainer, sidecars, services } = cluster;
  const members = { podSelector: { matchLabels: { [clusterLabel]: name } } };
  const open = [
    ...new Set([fluxContainer, ...sidecars, ...services].flatMap(({ container }) => container.ports ?? [])),
  ];
  const ingress: NetworkPolicyIngressRule[] = [
    { from: [members] },
    ...(options.extras.has('http-service')
      ? [{ from: [{ podSelector: {} }], ports: tcp([ports.http]) }]
      : []),
    ...(options.controllerNamespace === undefined
      ? []
      : [{ from: [controllerIn(options.controllerNamespace)], ports: tcp([ports.http]) }]),
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

/** The API server labels each namespace with its name, and refuses another value (Kubernetes 1.22, NamespaceDefaultLabelName). */
const controllerIn = (namespace: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  podSelector: { matchLabels: { [appLabel]: controllerName } },
});

const tcp = (numbers: readonly number[]) => numbers.map((port) => ({ port, protocol: 'TCP' }));
