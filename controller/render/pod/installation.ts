/**
 * How flux-pod and its Node.js come into a pod whose image may have neither: an init container copies them, that of the Flux view where its image
 * has flux-pod as well (`--image-view`), or, with `--with image-volume`, their image is mounted.
 */
import type { Container, ResourceRequirements, Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster, RenderOptions } from '../minicluster/cluster.ts';
import { paths } from '../reserved/paths.ts';
import { smallCpuRequest } from './containers.ts';
import { containerSecurity } from './security-context.ts';

type Options = Pick<RenderOptions, 'installer' | 'extras'>;

const isMounted = ({ extras }: Options): boolean => extras.has('image-volume');

/** Whether an init container copies it. */
const isCopied = (options: Options): options is Options & { readonly installer: string } =>
  options.installer !== undefined && !isMounted(options);

/** Where the images have flux-pod (Dockerfile). */
const inImage = '/opt/flux-pod';

/** Where the pod has flux-pod; undefined where its image has it on PATH. */
export function installedAt(options: Options): string | undefined {
  if (options.installer === undefined) return undefined;
  return isMounted(options) ? `${paths.installed}${inImage}` : paths.installed;
}

/**
 * Kubernetes 1.35, or 1.31 and later with the feature gate ImageVolume; a container runtime that does not know image volumes mounts an empty
 * directory. https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
 */
type VolumeWithImage = Volume & {
  readonly image?: { readonly reference: string; readonly pullPolicy: string };
};

export function installationVolumes(options: Options): VolumeWithImage[] {
  if (options.installer === undefined) return [];
  return isMounted(options)
    ? [{ name: 'flux-pod', image: { reference: options.installer, pullPolicy: 'IfNotPresent' } }]
    : [{ name: 'flux-pod', emptyDir: {} }];
}

export const installationMounts = ({ installer }: Options): VolumeMount[] =>
  installer === undefined ? [] : [{ name: 'flux-pod', mountPath: paths.installed, readOnly: true }];

/** Whether the init container of the Flux view installs flux-pod as well: one container less, a second or more of each start. */
const viewInstalls = ({ view, spec, options }: Cluster): boolean =>
  isCopied(options) &&
  view !== undefined &&
  options.viewImage !== undefined &&
  spec.flux?.container?.image === undefined;

/** What that container needs for it: a place, and a command to run beside the copy of the view. */
export const installationOfView = (cluster: Cluster): { mounts: VolumeMount[]; command?: string } =>
  viewInstalls(cluster)
    ? { mounts: [installationTarget], command: `${inImage}/flux-pod install ${paths.installed}` }
    : { mounts: [] };

const installationTarget: VolumeMount = { name: 'flux-pod', mountPath: paths.installed };

/** Puts flux-pod and its Node.js where the program's image finds them. */
export function installers(cluster: Cluster): Container[] {
  const { options } = cluster;
  if (!isCopied(options) || viewInstalls(cluster)) return [];
  return [
    {
      name: 'flux-pod-install',
      image: options.installer,
      imagePullPolicy: 'IfNotPresent',
      command: ['flux-pod', 'install', paths.installed],
      resources: installerResources(cluster),
      securityContext: { ...containerSecurity(cluster, undefined, ''), readOnlyRootFilesystem: true },
      volumeMounts: [installationTarget],
    },
  ];
}

/**
 * A tenth of a second on a CPU, before the program's container needs any: a limit is only set where that one has one, so that a pod
 * stays Guaranteed. With a limit of 100m instead each start took a second longer.
 */
function installerResources({ fluxContainer }: Cluster): ResourceRequirements {
  const { limits = {}, requests = {} } = fluxContainer.container.resources ?? {};
  const memory = '128Mi';
  if (limits.cpu === undefined) return { requests: { cpu: smallCpuRequest, memory }, limits: { memory } };
  return { requests: { cpu: requests.cpu ?? limits.cpu, memory }, limits: { cpu: limits.cpu, memory } };
}
