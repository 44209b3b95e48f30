/** Kubernetes objects from a MiniCluster: data in, data out. */
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type {
  ConfigMap,
  PersistentVolumeClaim,
  PodSpec,
  Secret,
  Service,
} from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.d.ts';
import { curveSecret } from './curve-secret.ts';
import { disruptionBudgets } from './disruption-budget.ts';
import { jobOf } from './indexed-job.ts';
import { type Cluster, clusterOf, type RenderOptions, type Warn } from './minicluster/cluster.ts';
import { miniClusterError } from './minicluster/field-problem.ts';
import type { MiniCluster } from './minicluster/schema.ts';
import { warnAboutUnusedFields } from './minicluster/unused-fields.ts';
import { networkPolicy } from './network-policy.ts';
import { needsCertificate } from './pod/flux-container.ts';
import { metadataOf } from './pod/labels.ts';
import { restrictedBreaches } from './pod/pod-security-standard.ts';
import { scriptsOf } from './pod/scripts.ts';
import { servicesOf } from './service.ts';
import { servicesDeployment } from './services-deployment.ts';
import { stateClaim } from './state-claim.ts';

export type Manifest =
  | Job
  | Service
  | ConfigMap
  | Secret
  | PersistentVolumeClaim
  | NetworkPolicy
  | PodDisruptionBudget
  | Deployment;

/** A field that is not, or not quite, honoured. */
export interface Warning {
  readonly path: string;
  readonly why: string;
}

export interface Rendering {
  /** In the order in which they are to be applied. */
  readonly manifests: readonly Manifest[];
  readonly warnings: readonly Warning[];
}

/** Renders a MiniCluster that readMiniCluster() has checked. Throws a PodError (exit 78) for scripts that no ConfigMap can hold. */
export function renderMiniCluster(miniCluster: MiniCluster, options: RenderOptions): Rendering {
  const warnings: Warning[] = [];
  const warn: Warn = (path, why) => warnings.push({ path, why });
  const cluster = clusterOf(miniCluster, options, warn);
  warnAboutUnusedFields(cluster);
  const scripts = scriptsOf(cluster);
  const job = jobOf(cluster, scripts);
  const beside = cluster.services.length > 0 ? [servicesDeployment(cluster)] : [];
  for (const pod of [job, ...beside]) warnAboutSecurity(cluster, pod.spec?.template.spec);
  warnAboutUser(cluster);
  return {
    manifests: [
      ...certificate(cluster),
      ...configMap(cluster, scripts),
      ...stateClaim(cluster),
      ...servicesOf(cluster),
      ...(options.extras.has('network-policy') ? [networkPolicy(cluster)] : []),
      ...(options.extras.has('disruption-budget') ? disruptionBudgets(cluster) : []),
      ...beside,
      job,
    ],
    warnings,
  };
}

function certificate(cluster: Cluster): Secret[] {
  const { options, spec, warn } = cluster;
  const needed = needsCertificate(cluster);
  if (needed && options.secret === undefined) return [curveSecret(cluster)];
  if (spec.flux?.curveCert) {
    warn(
      'spec.flux.curveCert',
      needed
        ? `is not used: the Secret ${options.secret} has the certificate`
        : 'is not used: one broker alone needs none',
    );
  }
  return [];
}

/** https://kubernetes.io/docs/concepts/configuration/configmap/ */
const largestConfigMap = 1_048_576;

function configMap(cluster: Cluster, scripts: Readonly<Record<string, string>>): ConfigMap[] {
  const bytes = Object.values(scripts).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes === 0) return [];
  if (bytes > largestConfigMap) {
    const why = `its commands have ${bytes} bytes, but a ConfigMap holds ${largestConfigMap}`;
    throw miniClusterError(`the MiniCluster ${cluster.name}`, [{ path: 'spec.containers', why }]);
  }
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadataOf(cluster, cluster.names.scripts),
      data: { ...scripts },
    },
  ];
}

/** Only what the MiniCluster asks for can break the standard, or `--user image`. */
function warnAboutSecurity({ options, warn }: Cluster, pod: PodSpec | undefined): void {
  const breaches = pod ? restrictedBreaches(pod) : [];
  if (breaches.length === 0) return;
  if (options.user === 'image') {
    warn(
      'spec',
      'is not admitted where the restricted Pod Security Standard is enforced: --user image leaves user and capabilities to the images',
    );
    return;
  }
  const list = breaches.map(({ field, value }) => `${field} (${value})`).join('; ');
  warn('spec', `is not admitted where the restricted Pod Security Standard is enforced: ${list}`);
}

/** The Operator leaves the user to the image, often root; what only root can do fails under another. */
function warnAboutUser({ options, spec, fluxContainer, sidecars, services, warn }: Cluster): void {
  const { user } = options;
  const podContext = spec.pod?.securityContext;
  if (user === 'image' || podContext?.runAsUser !== undefined || podContext?.runAsNonRoot === false) return;
  const why = `as user ${user.uid}, not as the image’s own; --user image leaves it to the image`;
  const own = (container: typeof fluxContainer.container) =>
    container.securityContext?.runAsUser !== undefined || container.securityContext?.privileged;
  const commands = (['init', 'pre', 'brokerPre', 'workerPre', 'post'] as const).filter(
    (key) => fluxContainer.container.commands?.[key],
  );
  if (!own(fluxContainer.container))
    for (const key of commands) warn(`${fluxContainer.path}.commands.${key}`, `runs ${why}`);
  for (const { container, path } of sidecars) {
    const entrypoint =
      'An image that starts as root may end at once, and Flux starts only after a container beside it runs';
    if (!own(container)) warn(path, `runs ${why}${container.noWrapEntrypoint ? `. ${entrypoint}` : ''}`);
  }
  for (const { container, path } of services) if (!own(container)) warn(path, `runs ${why}`);
}
