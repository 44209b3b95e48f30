import type { Container, EnvVar, ResourceRequirements, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster, Placed } from '../minicluster/cluster.ts';
import type { MiniClusterContainer } from '../minicluster/schema.ts';
import { mountPathOf } from '../minicluster/volume-problems.ts';
import { home } from '../reserved/paths.ts';
import { containerSecurity } from './security-context.ts';

/** What every container of a MiniCluster has, whatever it does: image, user, resources, environment, volumes. */
export function commonFields(cluster: Cluster, { container, path }: Placed): Omit<Container, 'name'> {
  const {
    image,
    imagePullPolicy,
    pullAlways,
    workingDir,
    ports = [],
    resources,
    securityContext,
  } = container;
  if (image === undefined) {
    cluster.warn(`${path}.image`, `is missing: ${defaultImage} is the default of the Operator`);
  }
  return {
    image: image ?? defaultImage,
    imagePullPolicy: pullAlways ? 'Always' : (imagePullPolicy ?? 'IfNotPresent'),
    ...(workingDir && { workingDir }),
    ...(ports.length > 0 && { ports: ports.map((containerPort) => ({ containerPort, protocol: 'TCP' })) }),
    ...resourcesOf(resources),
    ...lifecycleOf(container),
    securityContext: containerSecurity(cluster, securityContext, `${path}.securityContext`),
  };
}

/** For containers of which the MiniCluster does not say what they need. */
export const smallCpuRequest = '100m';

/** The CRD's default. */
const defaultImage = 'ghcr.io/rse-ops/accounting:app-latest';

export function resourcesOf(resources: MiniClusterContainer['resources']): {
  resources?: ResourceRequirements;
} {
  const { limits, requests } = resources ?? {};
  return limits || requests
    ? { resources: { ...(requests && { requests }), ...(limits && { limits }) } }
    : {};
}

function lifecycleOf({ lifeCycle }: MiniClusterContainer): Pick<Container, 'lifecycle'> {
  const { postStartExec, preStopExec } = lifeCycle ?? {};
  // The Operator takes the text for the name of a program; with blanks in it that could only be a command line.
  const handler = (command: string) => ({
    exec: { command: /\s/.test(command) ? ['/bin/sh', '-c', command] : [command] },
  });
  if (!postStartExec && !preStopExec) return {};
  return {
    lifecycle: {
      ...(postStartExec && { postStart: handler(postStartExec) }),
      ...(preStopExec && { preStop: handler(preStopExec) }),
    },
  };
}

/** The environment: ours first, so that the container's own values may refer to it; its own win. */
export function environmentOf(
  container: MiniClusterContainer,
  ours: Readonly<Record<string, string>> = {},
): EnvVar[] {
  const { environment = {}, secrets = {} } = container;
  return [
    ...Object.entries(ours)
      .filter(([name]) => !(name in environment) && !(name in secrets))
      .map(([name, value]) => ({ name, value: literally(value) })),
    ...Object.entries(environment)
      .filter(([name]) => !(name in secrets))
      .map(([name, value]) => ({ name, value })),
    ...Object.entries(secrets).map(([name, { name: secret, key }]) => ({
      name,
      valueFrom: { secretKeyRef: { name: secret, key } },
    })),
  ];
}

/** A home of its own for each container: what one leaves there, such as a .bashrc, no other one executes. */
export function homeMounts({ name, options, sidecars }: Cluster, { container }: Placed): VolumeMount[] {
  if (options.user === 'image') return [];
  const own = sidecars.length > 0 ? { subPath: container.name ?? name } : {};
  return [{ name: 'flux-pod-home', mountPath: home, ...own }];
}

/** The container's own mounts, then those of ours whose place they leave free. */
export function mountsOf(
  { warn }: Cluster,
  { container, path }: Placed,
  ours: readonly VolumeMount[],
): VolumeMount[] {
  const own = Object.entries(container.volumes ?? {}).map(([name, volume]) => ({
    name,
    mountPath: mountPathOf(volume) ?? '',
    ...(volume.readOnly && { readOnly: true }),
  }));
  const taken = new Map(own.map(({ mountPath, name }) => [mountPath.replace(/\/+$/, ''), name]));
  const free = ours.filter(({ mountPath, name }) => {
    const by = taken.get(mountPath);
    if (by)
      warn(`${path}.volumes.${by}.path`, `takes ${mountPath}, where the volume ${name} would have been`);
    return !by;
  });
  return [...own, ...free];
}

/**
 * Text for a container's `command` or `args`, in which the kubelet replaces $(NAME) and halves $$
 * (k8s.io/kubernetes/third_party/forked/golang/expansion).
 */
export const literally = (word: string): string =>
  word.replace(/\$+\(|\$\$+/g, (match) => match.replaceAll('$', '$$$$'));
