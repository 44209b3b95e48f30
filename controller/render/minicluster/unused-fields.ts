import type { Cluster } from './cluster.ts';
import { queueOf } from './kueue.ts';

/** Names the fields that have no place in what is rendered, each with the reason. */
export function warnAboutUnusedFields(cluster: Cluster): void {
  warnAboutMetadata(cluster);
  warnAboutFlux(cluster);
  const { spec, fluxContainer, warn } = cluster;
  if (fluxContainer.container.noWrapEntrypoint) {
    warn(`${fluxContainer.path}.noWrapEntrypoint`, 'is not used: this container runs Flux');
  }
  if (fluxContainer.container.commands?.servicePre) {
    warn(`${fluxContainer.path}.commands.servicePre`, 'is not used: this container runs Flux');
  }
  if (spec.archive?.path) {
    warn(
      'spec.archive.path',
      `is loaded where it exists; \`flux shutdown --dump=${spec.archive.path}\` saves it`,
    );
  }
  if (spec.autoscaling) {
    warn(
      'spec.autoscaling',
      'is not used: the controller resizes a MiniCluster, and the objects that are rendered stay as they are',
    );
  }
  if (spec.idleTimeout !== undefined && spec.flux?.stateVolume) {
    const queue = queueOf(cluster.miniCluster);
    warn(
      'spec.idleTimeout',
      queue === undefined
        ? 'is not used: with a state volume the controller suspends an idle MiniCluster'
        : `is not used: with a state volume an idle MiniCluster would be suspended, and Kueue (${queue}) resumes a Job that it has admitted; without one the instance shuts down`,
    );
  }
  if (spec.cleanup) {
    warn(
      'spec.cleanup',
      'removes the Job and its pods, logs included; `kubectl delete -f` removes the other objects',
    );
  }
  if (spec.pod?.resources) {
    warn(
      'spec.pod.resources',
      'is left out: the Operator makes it the pod’s overhead, which only a RuntimeClass may set; use the containers’ resources',
    );
  }
}

/** What `kubectl get -o yaml` adds. */
function warnAboutMetadata({ miniCluster, warn }: Cluster): void {
  const {
    name: _name,
    namespace: _namespace,
    labels: _labels,
    annotations = {},
    ...rest
  } = miniCluster.metadata;
  for (const key of Object.keys(rest)) warn(`metadata.${key}`, 'is left out: the API server sets it');
  for (const key of Object.keys(annotations).filter((key) => key.startsWith('kubectl.kubernetes.io/'))) {
    warn(`metadata.annotations["${key}"]`, 'is left out: kubectl sets it');
  }
  if (miniCluster.status !== undefined) warn('status', 'is left out: it is what the Operator has observed');
}

function warnAboutFlux({ spec, view, sidecars, warn }: Cluster): void {
  const { flux } = spec;
  if (!flux) return;
  const warnOf = (field: keyof typeof flux, why: string) => {
    if (flux[field]) warn(`spec.flux.${field}`, why);
  };
  warnOf('arch', 'is not used: nothing is downloaded when a pod starts');
  warnOf('wrap', 'is not used: flux-pod starts the broker itself, not by `flux start`');
  warnOf('disableSocket', 'is not used: probes and `flux-pod status` need the socket');
  warnOf('completeWorkers', 'is not used: followers end with the instance, and the Job with index 0');
  if (!sidecars.some(({ container }) => !container.noWrapEntrypoint)) {
    warnOf('noWaitSocket', 'is not used: no container beside Flux waits for the socket');
  }
  if (flux.curveCert) {
    warn(
      'spec.flux.curveCert',
      'is a secret that everyone who may read the MiniCluster has: leave it out and one is made, or use `flux-pod render --secret NAME`',
    );
  }
  if (flux.scheduler?.simple && view === undefined) {
    warn(
      'spec.flux.scheduler.simple',
      'is not used: the scheduler is the one that the image’s own Flux loads',
    );
  }
  if (view !== undefined) return;
  const { disable: _disable, ...unused } = flux.container ?? {};
  for (const field of Object.keys(unused)) {
    warn(`spec.flux.container.${field}`, 'is not used: the view is disabled, and the image has Flux itself');
  }
  if (flux.environment) warn('spec.flux.environment', 'is not used: it is for the view, which is disabled');
}
