import type { Container } from 'kubernetes-types/core/v1.d.ts';
import {
  schedulerVariables,
  type ViewVariable,
  viewPaths,
  viewVariables,
} from '../../../agent/broker/view-paths.ts';
import { quoted } from '../../../agent/shell-words.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import { paths, socket, softwareVolume, viewSoftware } from '../reserved/paths.ts';
import { resourcesOf } from './containers.ts';
import { installationOfView } from './installation.ts';
import { containerSecurity } from './security-context.ts';

/** The volume that holds the view; as with the Operator, it has the container's name. */
export const viewVolume = ({ spec }: Cluster): string => spec.flux?.container?.name ?? 'flux-view';

/** The CRD's default. */
export const defaultViewImage = 'ghcr.io/converged-computing/flux-view-ubuntu:tag-noble';

/**
 * Flux for images that have none: an init container copies a view that Spack made into an emptyDir. Its binaries look for
 * their libraries in /opt/software, where the second emptyDir is mounted beside the program.
 */
export function viewContainer(cluster: Cluster, view: string): Container {
  const {
    image = cluster.options.viewImage ?? defaultViewImage,
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
      ...installationOfView(cluster).mounts,
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
 * Operator). flux-view.sh is what the Operator's users, and its Python SDK with /bin/sh, source for `flux proxy $fluxsocket`;
 * flux-connect.sh does both (pkg/flux/templates/components.sh).
 */
export function viewScript(cluster: Cluster, view: string): string {
  const { name, spec } = cluster;
  const within = (path: string) => quoted(`${view}${path}`);
  const file = within('/flux-view.sh');
  const connect = within('/flux-connect.sh');
  const print = (...lines: readonly string[]) => `printf '%s\\n' ${lines.map(quoted).join(' ')}`;
  const write = (line: string) => `${print(line)} >>${file}`;
  const { command: install } = installationOfView(cluster);
  return [
    '#!/bin/bash',
    `# Rendered by flux-pod from the MiniCluster ${name}: copies the Flux view to where the program’s container finds it.`,
    'set -eu -o pipefail',
    ...(install === undefined ? [] : ['# This image has flux-pod as well.', `${install} &`, 'installer=$!']),
    `mkdir -p ${within('/view')}`,
    'source=/opt/view',
    '[ ! -d /opt/views/._view ] || source=/opt/views/._view/$(ls -t /opt/views/._view | head -n 1)',
    '# Python compiles at each start what is younger than its compiled form: times are kept. The volume itself is not this user’s.',
    'shopt -s dotglob nullglob',
    `for entry in "$source"/*; do cp -R --preserve=timestamps "$entry" ${within('/view/')}; done`,
    `for entry in ${viewSoftware}/*; do cp -R --preserve=timestamps "$entry" ${within('/software/')}; done`,
    '# The links of the view to its own Python lead to where Spack had built it.',
    `for python in ${within('/view/bin/python3.')}[0-9]*; do`,
    '  case $python in *config* | *\\*) continue ;; esac',
    `  ln -sf "$(basename "$python")" ${within('/view/bin/python3')}`,
    'done',
    `rm -f ${file}`,
    ...viewEnvironment(cluster, view).map(write),
    write(`export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}"${within('/view/lib')}`),
    write(`export fluxsocket=${socket}`),
    ...Object.entries(spec.flux?.environment ?? {}).map(([key, value]) =>
      write(`export ${key}=${quoted(value)}`),
    ),
    `${print('#!/bin/bash', `. ${file} && exec flux proxy "$fluxsocket" bash`)} >${connect}`,
    `chmod 755 ${connect}`,
    ...(install === undefined ? [] : ['wait "$installer"']),
    '',
  ].join('\n');
}

/**
 * The lines of a shell that make programs find what the view has, as the broker does (find-flux.ts). Where the image has a flux of its
 * own nothing of the view is used: its Python packages belong to another Flux.
 */
export function viewEnvironment({ spec }: Cluster, view: string): string[] {
  const { container, scheduler } = spec.flux ?? {};
  const variables = viewVariables.filter(
    (name) => !(scheduler?.simple && schedulerVariables.some((other) => other === name)),
  );
  const places = (name: ViewVariable) => viewPaths[name].map((path) => `${quoted(`${view}/view`)}/${path}`);
  return [
    'case $(command -v flux) in',
    `'' | ${quoted(`${view}/view/bin/flux`)})`,
    ...(container?.pythonPath
      ? [`  directory=${quoted(container.pythonPath)}; ${extendOnce('PYTHONPATH')}`]
      : []),
    ...variables.map(
      (name) =>
        `  for directory in ${places(name).join(' ')}; do [ ! -d "$directory" ] || ${extendOnce(name)}; done`,
    ),
    '  ;;',
    'esac',
  ];
}

/** Adds $directory to a list of directories that has not got it. */
const extendOnce = (name: string): string =>
  `case ":\${${name}:-}:" in *":$directory:"*) ;; *) export ${name}="\${${name}:+$${name}:}$directory" ;; esac`;
