import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster, Placed } from './minicluster/cluster.ts';
import { commonFields, environmentOf, mountsOf } from './pod/containers.ts';
import { componentLabel, metadataOf, podLabels } from './pod/labels.ts';
import { sharedPodSpec } from './pod/pod-template.ts';
import { containerVolumes } from './pod/volumes.ts';
import { clusterLabel } from './reserved/names.ts';

/**
 * `spec.services`: one pod beside the cluster, under the name NAME-services in the headless Service. The Operator makes a bare pod;
 * a Deployment brings it back when its node is lost.
 */
export function servicesDeployment(cluster: Cluster): Deployment {
  const { names, services, name, spec } = cluster;
  const volumes = containerVolumes(cluster, services);
  const { annotations } = spec.pod ?? {};
  const selector = { [clusterLabel]: name, [componentLabel]: 'services' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(cluster, names.services),
    spec: {
      replicas: 1,
      // Two pods would share the hostname.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: podLabels(cluster, 'services'), ...(annotations && { annotations }) },
        spec: {
          hostname: names.services,
          subdomain: names.service,
          ...sharedPodSpec({ ...cluster, warn: () => undefined }),
          containers: services.map((service) => serviceContainer(cluster, service)),
          ...(volumes.length > 0 && { volumes }),
        },
      },
    },
  };
}

function serviceContainer(cluster: Cluster, service: Placed): Container {
  const { container, path } = service;
  const unused = [
    ...(['runFlux', 'launcher', 'batch', 'batchRaw', 'logs', 'noWrapEntrypoint'] as const).filter(
      (field) => container[field],
    ),
    ...(['prefix', 'script', 'init', 'post', 'servicePre'] as const)
      .filter((field) => container.commands?.[field])
      .map((field) => `commands.${field}`),
  ];
  for (const field of unused)
    cluster.warn(`${path}.${field}`, 'is not used: a service runs as its image says');
  const mounts = mountsOf(cluster, service, []);
  const env = environmentOf(container);
  return {
    name: container.name ?? '',
    ...commonFields(cluster, service),
    ...(container.command && { command: ['/bin/sh', '-c', container.command] }),
    ...(env.length > 0 && { env }),
    ...(mounts.length > 0 && { volumeMounts: mounts }),
  };
}
