import type { Container, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster, Placed } from '../minicluster/cluster.ts';
import { home, paths, socket } from '../reserved/paths.ts';
import { commonFields, environmentOf, homeMounts, mountsOf } from './containers.ts';
import { viewContainer, viewMounts } from './flux-view.ts';
import { installers } from './installation.ts';
import { isWrapped, sidecarFile, sidecarFiles } from './scripts.ts';

/** What starts before the program: flux-pod and the Flux view come into the pod, then the containers beside it run. */
export function initContainers(cluster: Cluster): Container[] {
  const { view, sidecars } = cluster;
  return [
    ...installers(cluster),
    ...(view === undefined ? [] : [viewContainer(cluster, view)]),
    ...sidecars.map((sidecar) => sidecarContainer(cluster, sidecar)),
  ];
}

/**
 * A container beside Flux, as a native sidecar: it runs as long as the program, and does not keep the pod from ending.
 * https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
 */
function sidecarContainer(cluster: Cluster, sidecar: Placed): Container {
  const { container, path } = sidecar;
  const { view, options, warn } = cluster;
  const wrapped = isWrapped(sidecar);
  const unused = [
    ...(['launcher', 'batch', 'batchRaw', 'logs'] as const).filter((field) => container[field]),
    ...(['prefix', 'brokerPre', 'workerPre', 'pre'] as const)
      .filter((field) => container.commands?.[field])
      .map((field) => `commands.${field}`),
  ];
  for (const field of unused) warn(`${path}.${field}`, 'is not used: this container does not run Flux');
  if (!wrapped) warnAboutImageEntrypoint(cluster, sidecar);
  const mounts = [
    // To connect to the broker needs no right to write (path_resolution(7)); the certificate is a directory above.
    { name: 'flux-pod-socket', mountPath: paths.mountable, readOnly: true },
    ...(wrapped ? sidecarFiles(sidecar).map(scriptMount) : []),
    ...homeMounts(cluster, sidecar),
    ...(view === undefined ? [] : viewMounts(cluster, view).map((mount) => ({ ...mount, readOnly: true }))),
  ];
  return {
    name: container.name ?? '',
    ...commonFields(cluster, sidecar),
    restartPolicy: 'Always',
    ...(wrapped && { command: ['/bin/bash', `${paths.scripts}/${sidecarFile(sidecar)}`] }),
    env: environmentOf(container, {
      fluxsocket: socket,
      ...(options.user !== 'image' && { HOME: home }),
    }),
    volumeMounts: mountsOf(cluster, sidecar, mounts),
  };
}

/** One file of the ConfigMap, which also holds what is for the container of Flux. */
const scriptMount = (file: string): VolumeMount => ({
  name: 'flux-pod-scripts',
  mountPath: `${paths.scripts}/${file}`,
  subPath: file,
  readOnly: true,
});

/** `noWrapEntrypoint: true`: the image's own entrypoint, as with the Operator, and nothing around it. */
function warnAboutImageEntrypoint({ warn }: Cluster, { container, path }: Placed): void {
  const why = 'is not used: with noWrapEntrypoint the image’s own entrypoint runs';
  if (container.command) warn(`${path}.command`, why);
  for (const field of ['init', 'servicePre', 'script', 'post'] as const) {
    if (container.commands?.[field]) warn(`${path}.commands.${field}`, why);
  }
}
