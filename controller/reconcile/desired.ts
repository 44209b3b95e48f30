/** The objects that a MiniCluster asks for: the rendering of `flux-pod render`, owned by the resource. Pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubernetesObject, OwnerReference } from '../kubernetes/object.ts';
import { apiPortOf } from '../render/minicluster/api-port.ts';
import { type Cluster, clusterOf, type RenderOptions } from '../render/minicluster/cluster.ts';
import { formatProblem, MiniClusterError } from '../render/minicluster/field-problem.ts';
import { queueOf } from '../render/minicluster/kueue.ts';
import { readMiniCluster } from '../render/minicluster/read-minicluster.ts';
import type { MiniCluster } from '../render/minicluster/schema.ts';
import { renderMiniCluster } from '../render/render-minicluster.ts';
import { askedSize, initialSizeAnnotation, jobSizes } from '../size/asked-size.ts';
import type { SizeOwner } from '../size/next-size.ts';
import { sizeOwner } from '../size/size-owner.ts';
import { askedFor, suspendedAnnotation } from '../suspend/suspended-annotation.ts';

export interface Desired {
  /** In the order in which they are to be applied. */
  readonly objects: readonly KubernetesObject[];
  readonly size: number;
  /** At most the hosts with which the pods of its Job run. */
  readonly maxSize: number;
  readonly quorum: number;
  /** Fields that are not, or not quite, honoured: a sentence each. */
  readonly warnings: readonly string[];
  /** Why the size is not the one that is asked for; undefined where it is. */
  readonly sizeRefused: string | undefined;
  readonly sizeDecidedBy: SizeOwner;
  /** Where the size may follow the demand: for so long a smaller size has to have been enough. Milliseconds. */
  readonly stabilizationMs: number | undefined;
  /** After so long without an active job it is suspended; undefined: never. Milliseconds. */
  readonly idleMs: number | undefined;
  /** The Service of the REST API, as HOST:PORT; undefined where the MiniCluster serves none. */
  readonly api: string | undefined;
}

/** What is wrong with an invalid MiniCluster: a line each, with the path of the field. */
export interface Invalid {
  readonly problems: readonly string[];
}

export const isInvalid = (desired: Desired | Invalid): desired is Invalid => 'problems' in desired;

/** As for the scale-down of Dask and Ray, and a fifth of an HPA's. */
const usualWindowSeconds = 60;

/**
 * `object` is a MiniCluster as the API server gives it, `job` its Job where there is one.
 */
export function desiredOf(
  object: KubernetesObject,
  job: KubernetesObject | undefined,
  options: RenderOptions,
): Desired | Invalid {
  try {
    const sizes = jobSizes(job);
    const asked = sizes && askedSize(object, sizes);
    const written = readMiniCluster(asWritten(withSpecSize(object, asked?.checked)));
    // A Job that exists is rendered with the size that it was created with, and resized.
    const started = sizes ? { ...written, spec: { ...written.spec, size: sizes.initial } } : written;
    const miniCluster = withoutWhatTheControllerDoes(started);
    const { autoscaling } = written.spec;
    const { manifests, warnings } = renderMiniCluster(miniCluster, options);
    const cluster = clusterOf(miniCluster, options, () => undefined);
    const owner = ownerOf(object);
    const size = asked?.size ?? cluster.size;
    return {
      objects: manifests.map((manifest) => {
        const owned = withOwner(manifest as KubernetesObject, object.metadata.namespace ?? '', owner);
        return owned.kind === 'Job' ? withSize(owned as KubernetesObject & Job, cluster.size, size) : owned;
      }),
      size,
      maxSize: Math.min(cluster.maxSize, sizes?.most ?? cluster.maxSize),
      quorum: cluster.quorum,
      warnings: warnings.map(({ path, why }) => `${path} ${why}`),
      sizeRefused: asked?.refused,
      sizeDecidedBy: sizeOwner(object, autoscaling !== undefined),
      stabilizationMs: autoscaling && (autoscaling.stabilizationWindowSeconds ?? usualWindowSeconds) * 1000,
      idleMs: idleMsOf(written),
      api: apiOf(cluster, object.metadata.namespace ?? ''),
    };
  } catch (error) {
    if (!(error instanceof MiniClusterError)) throw error;
    return { problems: error.problems.map(formatProblem) };
  }
}

/** Without what the API server and kubectl add, of which `render` warns where it is in a file. */
function asWritten({ apiVersion, kind, metadata, ...rest }: KubernetesObject): object {
  const { name, namespace, labels, annotations = {} } = metadata;
  const own = Object.entries(annotations).filter(([key]) => !key.startsWith('kubectl.kubernetes.io/'));
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, annotations: Object.fromEntries(own) },
    spec: (rest as { spec?: unknown }).spec,
  };
}

/**
 * The MiniCluster outlives its Job, whose end would be forgotten with it: `cleanup` deletes the MiniCluster instead. The size that follows the
 * demand is no part of a rendering, nor is what is suspended when it is idle.
 */
function withoutWhatTheControllerDoes(miniCluster: MiniCluster): MiniCluster {
  const { spec, ...rest } = miniCluster;
  const {
    cleanup: _cleanup,
    ttlSecondsAfterFinished: _ttl,
    autoscaling: _autoscaling,
    idleTimeout,
    ...kept
  } = spec;
  const isLeft = idleTimeout !== undefined && idleMsOf(miniCluster) === undefined;
  return { ...rest, spec: { ...kept, ...(isLeft && { idleTimeout }) } };
}

/** Without a state volume the leader shuts down by itself. Kueue resumes a Job that it has admitted: the two would go on for ever. */
function idleMsOf(miniCluster: MiniCluster): number | undefined {
  const { idleTimeout, flux } = miniCluster.spec;
  const isSuspended = flux?.stateVolume && queueOf(miniCluster) === undefined;
  return isSuspended && idleTimeout !== undefined ? idleTimeout * 1000 : undefined;
}

function apiOf({ fluxContainer, names }: Cluster, namespace: string): string | undefined {
  const port = apiPortOf(fluxContainer.container);
  return port === undefined ? undefined : `${names.apiService}.${namespace}.svc:${port}`;
}

/** As it is checked. */
const withSpecSize = (object: KubernetesObject, size: number | undefined): KubernetesObject =>
  size === undefined ? object : { ...object, ...{ spec: { ...(object as { spec?: object }).spec, size } } };

const ownerOf = ({ apiVersion, kind, metadata }: KubernetesObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

const withOwner = (object: KubernetesObject, namespace: string, owner: OwnerReference): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, namespace, ownerReferences: [owner] },
});

/** The same with another size of the Job. */
export function resized(desired: Desired, size: number): Desired {
  if (size === desired.size) return desired;
  const objects = desired.objects.map((object) =>
    object.kind === 'Job'
      ? {
          ...object,
          spec: { ...(object as KubernetesObject & Job).spec, completions: size, parallelism: size },
        }
      : object,
  );
  return { ...desired, objects, size };
}

function withSize(job: KubernetesObject & Job, initial: number, size: number): KubernetesObject {
  const { metadata } = job as KubernetesObject;
  const annotations = {
    ...metadata.annotations,
    [initialSizeAnnotation]: String(initial),
    ...(job.spec?.suspend && { [suspendedAnnotation]: askedFor }),
  };
  return {
    ...job,
    metadata: { ...metadata, annotations },
    spec: { ...job.spec, completions: size, parallelism: size },
  } as KubernetesObject;
}
