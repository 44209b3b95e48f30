import type { LocalObjectReference, PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import { affinityOf } from './affinity.ts';
import { fluxContainer } from './flux-container.ts';
import { initContainers } from './init-containers.ts';
import { podLabels } from './labels.ts';
import { podSecurity } from './security-context.ts';
import { podVolumes } from './volumes.ts';

/** Seconds from SIGTERM to SIGKILL: the leader needs its followers a little longer to stop jobs and save its state. */
const gracePeriod = 60;

/** The pods of the Job. */
export function podTemplate(cluster: Cluster, scripts: Readonly<Record<string, string>>): PodTemplateSpec {
  const { spec, names } = cluster;
  const { annotations } = spec.pod ?? {};
  const init = initContainers(cluster);
  return {
    metadata: { labels: podLabels(cluster, 'broker'), ...(annotations && { annotations }) },
    spec: {
      // With the headless Service of the same name this gives every pod its name in DNS.
      subdomain: names.service,
      restartPolicy: restartPolicyOf(cluster),
      terminationGracePeriodSeconds: gracePeriod,
      ...sharedPodSpec(cluster),
      ...affinityOf(cluster),
      ...(spec.shareProcessNamespace !== undefined && { shareProcessNamespace: spec.shareProcessNamespace }),
      ...(spec.pod?.hostIPC !== undefined && { hostIPC: spec.pod.hostIPC }),
      ...(spec.pod?.hostPID !== undefined && { hostPID: spec.pod.hostPID }),
      ...(init.length > 0 && { initContainers: init }),
      containers: [fluxContainer(cluster, scripts)],
      volumes: podVolumes(cluster, scripts),
    },
  };
}

/**
 * Never, unless the MiniCluster sets it: a pod that failed is replaced by a new one, and a podFailurePolicy can distinguish a
 * lost node from a wrong configuration.
 */
export const restartPolicyOf = ({ spec }: Cluster): 'Never' | 'OnFailure' =>
  spec.pod?.restartPolicy ?? 'Never';

/** What all pods of a cluster share: nodes to run on, user, service account, name resolution, registries. */
export function sharedPodSpec(cluster: Cluster): Partial<PodSpec> {
  const { pod } = cluster.spec;
  const secrets = imagePullSecrets(cluster);
  return {
    ...(pod?.serviceAccountName && { serviceAccountName: pod.serviceAccountName }),
    automountServiceAccountToken: pod?.automountServiceAccountToken ?? false,
    ...(pod?.runtimeClassName && { runtimeClassName: pod.runtimeClassName }),
    ...(pod?.schedulerName && { schedulerName: pod.schedulerName }),
    ...(pod?.dnsPolicy && { dnsPolicy: pod.dnsPolicy }),
    ...(pod?.nodeSelector && { nodeSelector: pod.nodeSelector }),
    ...(pod?.tolerations && { tolerations: pod.tolerations }),
    ...(secrets.length > 0 && { imagePullSecrets: secrets }),
    securityContext: podSecurity(cluster),
  };
}

function imagePullSecrets({
  spec,
  fluxContainer,
  sidecars,
  services,
  view,
}: Cluster): LocalObjectReference[] {
  const names = [
    ...[fluxContainer, ...sidecars, ...services].map(({ container }) => container.imagePullSecret),
    view === undefined ? undefined : spec.flux?.container?.imagePullSecret,
  ];
  return [...new Set(names)].flatMap((name) => (name ? [{ name }] : []));
}
