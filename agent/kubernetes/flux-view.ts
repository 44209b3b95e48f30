import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from './cluster.ts';
import { resourcesOf } from './containers.ts';
import { paths, socket, softwareVolume, viewSoftware } from './paths.ts';
import { containerSecurity } from './security-context.ts';
import { quoted } from './shell-words.ts';

/** The volume that holds the view; as with the Operator, it has the container's name. */
export const viewVolume = ({ spec }: Cluster): string => spec.flux?.container?.name ?? 'flux-view';

/** The CRD's default. */
const defaultImage = 'ghcr.io/converged-computing/flux-view-ubuntu:tag-noble';

/**
 * Flux for images that have none: an init container copies a view that Spack made into an emptyDir. Its binaries look for
 * their libraries in /opt/software, where the second emptyDir is mounted beside the program.
 */
export function viewContainer(cluster: Cluster, view: string): Container {
  const {
    image = defaultImage,
    pullAlways,
    workingDir,
    resources,
    securityContext,
  } = cluster.spec.flux?.container ?? {};
  return {
    name: viewVolume(cluster),
    image,
    imagePullPolicy: pullAlways ? 'Always' : 'IfNotPresent',
    command: ['/bin/bash', `${paths.scripts}/view.sh`],
    ...(workingDir && { workingDir }),
    ...resourcesOf(resources),
    securityContext: containerSecurity(cluster, securityContext, 'spec.flux.container.securityContext'),
    volumeMounts: [
      { name: viewVolume(cluster), mountPath: view },
      { name: softwareVolume, mountPath: `${view}/software` },
      { name: 'flux-pod-scripts', mountPath: paths.scripts, readOnly: true },
    ],
  };
}

/** Where the view goes in the containers that use it. */
export function viewMounts(cluster: Cluster, view: string) {
  return [
    { name: viewVolume(cluster), mountPath: view },
    { name: softwareVolume, mountPath: viewSoftware },
  ];
}

/**
 * Copies the view of a flux-view image: /opt/view is a link to the newest of /opt/views/._view (pkg/flux/view.go in the
 * Operator). flux-view.sh is what the Operator's users source for `flux proxy $fluxsocket`.
 */
export function viewScript({ name, spec }: Cluster, view: string): string {
  const python = spec.flux?.container?.pythonPath;
  const within = (path: string) => quoted(`${view}${path}`);
  const file = within('/flux-view.sh');
  const write = (line: string) => `printf '%s\\n' ${quoted(line)} >>${file}`;
  return [
    '#!/bin/bash',
    `# Rendered by flux-pod from the MiniCluster ${name}: copies the Flux view to where the program’s container finds it.`,
    'set -eu -o pipefail',
    `mkdir -p ${within('/view')}`,
    'source=/opt/view',
    '[ ! -d /opt/views/._view ] || source=/opt/views/._view/$(ls -t /opt/views/._view | head -n 1)',
    `cp -R "$source"/. ${within('/view/')}`,
    `[ ! -d ${viewSoftware} ] || cp -R ${viewSoftware}/. ${within('/software/')}`,
    '# The links of the view to its own Python lead to where Spack had built it.',
    `for python in ${within('/view/bin/python3.')}[0-9]*; do`,
    '  case $python in *config* | *\\*) continue ;; esac',
    `  ln -sf "$(basename "$python")" ${within('/view/bin/python3')}`,
    'done',
    `rm -f ${file}`,
    write(`${extend('PATH')}${within('/view/bin')}`),
    ...(python === undefined
      ? [
          `packages=$(cd ${within('/view')} && ls -d lib/python3*/site-packages 2>/dev/null | head -n 1 || true)`,
          `[ -z "$packages" ] || printf '%s%s\\n' ${quoted(`${extend('PYTHONPATH')}${within('/view/')}`)} "$packages" >>${file}`,
        ]
      : [write(`${extend('PYTHONPATH')}${quoted(python)}`)]),
    write(`${extend('LD_LIBRARY_PATH')}${within('/view/lib')}`),
    write(`export fluxsocket=${socket}`),
    ...Object.entries(spec.flux?.environment ?? {}).map(([key, value]) =>
      write(`export ${key}=${quoted(value)}`),
    ),
    '',
  ].join('\n');
}

/** The begin of a line of a shell that adds what follows to a list of directories. */
export const extend = (name: string): string => `export ${name}="\${${name}:+$${name}:}"`;
