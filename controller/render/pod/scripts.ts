import { quoted } from '../../../agent/shell-words.ts';
import type { Cluster, Placed } from '../minicluster/cluster.ts';
import { paths, socket } from '../reserved/paths.ts';
import { brokerTomlOf } from './broker-file.ts';
import { viewEnvironment, viewScript } from './flux-view.ts';
import { defaultLogs } from './run-command.ts';

/**
 * The files of the ConfigMap. The commands of the MiniCluster stay as they were written, one file each; start.sh runs them in
 * one shell, because what they export and the directory they change to are meant for the program (`. spack/setup-env.sh`).
 */
export function scriptsOf(cluster: Cluster): Readonly<Record<string, string>> {
  const { spec, fluxContainer, view, sidecars } = cluster;
  const { commands = {}, command = '', batch, batchRaw } = fluxContainer.container;
  const start = startScript(cluster);
  const files: Record<string, string | undefined> = {
    'start.sh': start,
    'init.sh': commands.init,
    'pre.sh': commands.pre,
    'broker-pre.sh': commands.brokerPre,
    'worker-pre.sh': commands.workerPre,
    'post.sh': commands.post && postScript(cluster, commands.post),
    'script.sh': commands.script && !batch ? commands.script : undefined,
    'batch.sh': batch && batchRaw ? (commands.script ?? command) : undefined,
    'view.sh': view === undefined ? undefined : viewScript(cluster, view),
    'broker.toml': brokerTomlOf(cluster),
  };
  for (const sidecar of sidecars.filter(isWrapped)) {
    files[sidecarFile(sidecar)] = sidecarScript(cluster, sidecar);
    files[sidecarScriptFile(sidecar)] = sidecar.container.commands?.script;
  }
  if (spec.interactive) delete files['script.sh'];
  return Object.fromEntries(
    Object.entries(files).filter((entry): entry is [string, string] => Boolean(entry[1]?.trim())),
  );
}

/** What runs before flux-pod in the container that runs Flux; undefined where nothing does. */
export function startScript(cluster: Cluster): string | undefined {
  const { spec, fluxContainer, view, name } = cluster;
  const { commands = {}, batch, logs } = fluxContainer.container;
  const output = spec.logging?.quiet ? '>/dev/null' : '>&2';
  const source = (file: string, text: string | undefined) =>
    text ? [`. ${paths.scripts}/${file} ${output}`] : [];
  const isLeader = '[ "$JOB_COMPLETION_INDEX" = 0 ]';
  const whenLeader = (condition: string, file: string, text: string | undefined) =>
    text ? [`if ${condition}; then . ${paths.scripts}/${file} ${output}; fi`] : [];
  const archive = spec.archive?.path;
  const steps = [
    ...source('init.sh', commands.init),
    ...(spec.logging?.strict ? ['set -eEu -o pipefail'] : []),
    ...(logs || (batch && !spec.interactive) ? [`mkdir -p ${quoted(logs ?? defaultLogs)}`] : []),
    ...source('pre.sh', commands.pre),
    ...whenLeader(isLeader, 'broker-pre.sh', commands.brokerPre),
    ...whenLeader(`! ${isLeader}`, 'worker-pre.sh', commands.workerPre),
    ...(archive
      ? [
          `if ${isLeader} && [ -e ${quoted(archive)} ]; then`,
          `  export FLUX_POD_BROKER_OPTIONS="\${FLUX_POD_BROKER_OPTIONS:-} "${quoted(`-Scontent.restore=${archive}`)}`,
          'fi',
        ]
      : []),
  ];
  const idle = steps.length === 0 || (steps.length === 1 && spec.logging?.strict);
  if (idle && (view === undefined || !spec.flux?.container?.pythonPath)) return undefined;
  return [
    '#!/bin/bash',
    `# Rendered by flux-pod from the MiniCluster ${name}: runs its commands in one shell, then becomes flux-pod.`,
    '# As PID 1 a shell ignores SIGTERM unless it has a trap.',
    "trap 'exit 143' TERM",
    ...(view === undefined ? [] : viewEnvironment(cluster, view)),
    ...steps,
    'exec "$@"',
    '',
  ].join('\n');
}

/** Without `strict` it goes on after a command that fails and prints nothing, as the Operator's script does. */
function postScript({ spec }: Cluster, post: string): string {
  const strict = spec.logging?.strict;
  return [
    '#!/bin/bash',
    ...(strict ? ['set -eEu -o pipefail'] : []),
    post.trimEnd(),
    ...(strict ? [] : ['exit 0']),
    '',
  ].join('\n');
}

/** A container beside Flux whose command is wrapped, so that it finds Flux and waits for the instance. */
export const isWrapped = ({ container }: Placed): boolean => !container.noWrapEntrypoint;

export const sidecarFile = ({ container }: Placed): string => `sidecar-${container.name}.sh`;
/** All files of a container beside Flux. */
export const sidecarFiles = (sidecar: Placed): string[] => [
  sidecarFile(sidecar),
  ...(sidecar.container.commands?.script?.trim() ? [sidecarScriptFile(sidecar)] : []),
];
const sidecarScriptFile = ({ container }: Placed): string => `sidecar-${container.name}-script.sh`;

function sidecarScript(cluster: Cluster, sidecar: Placed): string {
  const { spec, view, name } = cluster;
  const { commands = {}, command, name: own } = sidecar.container;
  const quietly = spec.logging?.quiet ? ' >/dev/null' : '';
  const group = (text: string | undefined, end = quietly) => (text ? ['{', text.trimEnd(), `}${end}`] : []);
  const work = [
    commands.script && `/bin/bash ${paths.scripts}/${sidecarScriptFile(sidecar)}`,
    command?.trimEnd(),
    commands.post?.trimEnd(),
  ].filter((text) => text);
  const body = [
    ...group(commands.init),
    ...(spec.logging?.strict ? ['set -eEu -o pipefail'] : []),
    ...(view === undefined ? [] : viewEnvironment(cluster, view)),
    ...group(commands.servicePre),
    `export fluxsocket=${socket}`,
    ...(spec.flux?.noWaitSocket ? [] : [`until [ -S ${socket.replace('local://', '')} ]; do sleep 1; done`]),
    ...group(work.join('\n'), ''),
  ];
  return [
    '#!/bin/bash',
    `# Rendered by flux-pod from the MiniCluster ${name}: the container ${own}, beside Flux.`,
    '# As PID 1 a shell ignores SIGTERM unless it has a trap, which runs only while it waits.',
    "trap 'exit 143' TERM",
    '(',
    ...body,
    ') &',
    'wait $! || echo "flux-pod: the commands of this container failed with exit code $?, and are not run again" >&2',
    '# A sidecar that exits is started again: its work would be done twice, and one that fails again and again would keep Flux from starting.',
    'sleep infinity &',
    'wait',
    '',
  ].join('\n');
}
