import type { Container, Probe, ResourceRequirements } from 'kubernetes-types/core/v1.d.ts';
import { schedulerVariables } from '../../../agent/broker/view-paths.ts';
import { burstingOf } from '../minicluster/bursting.ts';
import { type Cluster, fluxContainerName } from '../minicluster/cluster.ts';
import { home, paths, statedir } from '../reserved/paths.ts';
import { ports } from '../reserved/ports.ts';
import {
  commonFields,
  environmentOf,
  homeMounts,
  literally,
  mountsOf,
  smallCpuRequest,
} from './containers.ts';
import { viewMounts } from './flux-view.ts';
import { installationMounts, installedAt } from './installation.ts';
import { type Program, programOf } from './run-command.ts';

/** The container that runs `flux-pod run -- COMMAND`. */
export function fluxContainer(cluster: Cluster, scripts: Readonly<Record<string, string>>): Container {
  const { fluxContainer, options } = cluster;
  const program = programOf(cluster);
  const common = commonFields(cluster, fluxContainer);
  const installed = installedAt(options);
  const fluxPod = installed === undefined ? 'flux-pod' : `${installed}/flux-pod`;
  const run = [fluxPod, 'run', ...(program.command.length > 0 ? ['--', ...program.command] : [])];
  const command = scripts['start.sh'] ? ['/bin/bash', `${paths.scripts}/start.sh`, ...run] : run;
  return {
    name: fluxContainerName(cluster),
    ...common,
    resources: withCpuRequest(common.resources),
    command: command.map(literally),
    env: environmentOf(fluxContainer.container, settings(cluster, program, scripts)),
    ports: [
      { name: 'overlay', containerPort: ports.overlay, protocol: 'TCP' },
      { name: 'http', containerPort: ports.http, protocol: 'TCP' },
      ...(common.ports ?? []),
    ],
    ...(options.extras.has('probes') && probes),
    volumeMounts: mountsOf(cluster, fluxContainer, fluxMounts(cluster, scripts)),
  };
}

/** Without a request a container gets next to no CPU on a busy node, and its probes fail. A limit is a request as well. */
function withCpuRequest({ requests, limits }: ResourceRequirements = {}): ResourceRequirements {
  const asked = requests?.cpu ?? limits?.cpu;
  return {
    ...(asked === undefined ? { requests: { cpu: smallCpuRequest, ...requests } } : requests && { requests }),
    ...(limits && { limits }),
  };
}

/** flux-pod answers these in every phase; the startup probe succeeds when the broker starts. */
const probe = (path: string, timing: Omit<Probe, 'httpGet'>): Probe => ({
  httpGet: { path, port: 'http' },
  // docs/troubleshooting.md: on a busy node an agent may get the CPU late.
  timeoutSeconds: 5,
  ...timing,
});
const probes = {
  // An hour: peers may have to wait for nodes, and the commands of a MiniCluster may install packages.
  startupProbe: probe('/startupz', { periodSeconds: 2, failureThreshold: 1800 }),
  livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
  readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 1 }),
};

/** What is set as FLUX_POD_..., and what the program's environment needs beyond the image's. */
function settings(
  cluster: Cluster,
  program: Program,
  scripts: Readonly<Record<string, string>>,
): Record<string, string> {
  const { spec, size, quorum, maxSize, fluxContainer, view, options } = cluster;
  const bursting = burstingOf(cluster.miniCluster);
  const brokerOptions = brokerOptionsOf(cluster);
  const level = logLevelOf(cluster);
  const installed = installedAt(options);
  return {
    FLUX_POD_SIZE: String(size),
    ...(quorum !== size && { FLUX_POD_MIN_SIZE: String(quorum) }),
    ...(maxSize !== size && { FLUX_POD_MAX_SIZE: String(maxSize) }),
    // With a state volume its queue is kept, and the controller suspends the Job.
    ...(spec.idleTimeout !== undefined &&
      !spec.flux?.stateVolume && { FLUX_POD_IDLE_TIMEOUT: `${spec.idleTimeout}s` }),
    ...(program.mode !== 'start' && { FLUX_POD_MODE: program.mode }),
    ...(program.tasks !== undefined && { FLUX_POD_TASKS: String(program.tasks) }),
    ...(spec.flux?.topology && { FLUX_POD_TOPO: spec.flux.topology }),
    ...(bursting && { FLUX_POD_HOSTS: bursting.hosts }),
    ...(bursting?.leader && { FLUX_POD_LEADER: bursting.leader }),
    // A view at the Operator's usual place is found, after a flux of the image's own.
    ...(view !== undefined && view !== '/mnt/flux' && { FLUX_POD_FLUX: `${view}/view` }),
    ...(brokerOptions && { FLUX_POD_BROKER_OPTIONS: brokerOptions }),
    ...(scripts['broker.toml'] && { FLUX_POD_BROKER_CONFIG: `${paths.scripts}/broker.toml` }),
    ...(level && { FLUX_POD_LOG_LEVEL: level }),
    // Said, so that no other place serves when it cannot be written: sidecars look for the socket here.
    FLUX_POD_DIR: paths.run,
    ...(spec.flux?.stateVolume && { FLUX_POD_STATE_DIR: statedir }),
    // `flux pod status` finds flux-pod where flux looks for its subcommands.
    ...(installed !== undefined && { FLUX_EXEC_PATH: installed }),
    // flux-pod adds what the view has; set to nothing, these keep Fluxion out.
    ...(view !== undefined &&
      spec.flux?.scheduler?.simple &&
      Object.fromEntries(schedulerVariables.map((name) => [name, '']))),
    ...(options.user !== 'image' && { HOME: home }),
    ...(fluxContainer.container.logs && { FLUX_OUTPUT_DIR: fluxContainer.container.logs }),
    ...(view !== undefined && spec.flux?.environment),
  };
}

function brokerOptionsOf({ spec }: Cluster): string {
  const { connectTimeout } = spec.flux ?? {};
  return [
    connectTimeout && `-Stbon.connect_timeout=${connectTimeout}`,
    spec.logging?.zeromq && '-Stbon.zmqdebug=1',
  ]
    .filter((option) => option)
    .join(' ');
}

/** The agent's level for a level of syslog: `flux.logLevel` is the broker's, which follows the agent's. */
const levels = ['silent', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'] as const;

function logLevelOf({ spec, warn }: Cluster): string | undefined {
  const { logging, flux } = spec;
  if (logging?.quiet) {
    if (flux?.logLevel !== undefined)
      warn('spec.flux.logLevel', 'is not used: logging.quiet asks for errors only');
    return 'error';
  }
  if (flux?.logLevel !== undefined) return levels[flux.logLevel];
  return logging?.debug ? 'debug' : undefined;
}

function fluxMounts(cluster: Cluster, scripts: Readonly<Record<string, string>>) {
  const { options, view, spec, fluxContainer, sidecars } = cluster;
  const needsScripts = Object.keys(scripts).some(
    (name) => !name.startsWith('sidecar-') && name !== 'post.sh',
  );
  return [
    ...installationMounts(options),
    { name: 'flux-pod-run', mountPath: paths.run },
    ...(spec.flux?.stateVolume ? [{ name: 'flux-pod-state', mountPath: paths.state }] : []),
    ...(sidecars.length > 0 ? [{ name: 'flux-pod-socket', mountPath: paths.mountable }] : []),
    ...(needsCertificate(cluster)
      ? [{ name: 'flux-pod-curve', mountPath: paths.curve, readOnly: true }]
      : []),
    ...(needsScripts ? [{ name: 'flux-pod-scripts', mountPath: paths.scripts, readOnly: true }] : []),
    ...(scripts['post.sh'] ? [{ name: 'flux-pod-hooks', mountPath: paths.hooks, readOnly: true }] : []),
    ...homeMounts(cluster, fluxContainer),
    ...(view === undefined ? [] : viewMounts(cluster, view)),
    ...(spec.flux?.mungeSecret ? [{ name: 'flux-pod-munge', mountPath: '/etc/munge', readOnly: true }] : []),
  ];
}

/** One broker alone has no peers: its certificate is for the controller's link. */
export const needsCertificate = ({ maxSize, miniCluster, options }: Cluster): boolean =>
  maxSize > 1 || burstingOf(miniCluster) !== undefined || options.controllerNamespace !== undefined;
