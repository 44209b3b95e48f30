import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { apiPortOf } from './minicluster/api-port.ts';
import type { Cluster } from './minicluster/cluster.ts';
import { componentLabel, metadataOf } from './pod/labels.ts';
import { clusterLabel, indexLabel, jobNameLabel } from './reserved/names.ts';
import { ports } from './reserved/ports.ts';

/** The pods of the Job, without those of `spec.services`. */
const brokers = ({ name }: Cluster) => ({ [clusterLabel]: name, [componentLabel]: 'broker' });

/** All Services: the headless one, those of containers that have ports, the API's, and flux-pod's HTTP where wanted. */
export function servicesOf(cluster: Cluster): Service[] {
  const { options, sidecars, names, fluxContainer } = cluster;
  const leader = { ...brokers(cluster), [indexLabel]: '0' };
  const api = apiPortOf(fluxContainer.container);
  return [
    headlessService(cluster),
    ...(options.extras.has('http-service')
      ? [service(cluster, names.httpService, leader, [ports.http], 'http')]
      : []),
    ...(api === undefined ? [] : [service(cluster, names.apiService, leader, [api], 'api')]),
    // As the Operator does: a container with ports beside Flux is a Service of its name.
    ...sidecars.flatMap(({ container }) =>
      container.ports?.length
        ? [service(cluster, container.name ?? '', brokers(cluster), container.ports)]
        : [],
    ),
  ];
}

/**
 * Gives every pod its name. A broker can only become ready by joining, and needs the others' names for that: they have to be
 * published before. Without a named port a pod's name has no SRV record (FLUX_POD asks it when an A record is stale).
 */
function headlessService(cluster: Cluster): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(cluster, cluster.names.service),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: headlessSelector(cluster),
      ports: Object.entries(ports).map(([name, port]) => ({ name, port, targetPort: port, protocol: 'TCP' })),
    },
  };
}

/** `minimalService: true` publishes the leader alone: enough where the leader is the parent of all followers. */
function headlessSelector(cluster: Cluster): Record<string, string> {
  const { spec, name, maxSize, services, warn } = cluster;
  const everyone = { [clusterLabel]: name };
  if (!spec.flux?.minimalService) return everyone;
  const flat =
    spec.flux.topology === undefined
      ? maxSize <= 256
      : /^(custom|kary:0|mincrit:0)$/.test(spec.flux.topology);
  const why = !flat
    ? 'the tree has more levels, in which followers look for other pods'
    : services.length > 0
      ? 'spec.services are reached by name as well'
      : undefined;
  if (why === undefined) return { ...brokers(cluster), [jobNameLabel]: name, [indexLabel]: '0' };
  warn('spec.flux.minimalService', `is not used: ${why}`);
  return everyone;
}

function service(
  cluster: Cluster,
  name: string,
  selector: Record<string, string>,
  exposed: readonly number[],
  portName?: string,
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(cluster, name),
    spec: {
      selector,
      ports: exposed.map((port) => ({
        name: portName ?? `port-${port}`,
        port,
        targetPort: port,
        protocol: 'TCP',
      })),
    },
  };
}
