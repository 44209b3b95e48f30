import { namesOf } from '../reserved/names.ts';
import type { MiniCluster, MiniClusterContainer, MiniClusterSpec } from './schema.ts';

/** A warning to the user about a field that is not, or not quite, honoured. */
export type Warn = (path: string, why: string) => void;

/** What a cluster can do with or without. */
export const extras = [
  'probes',
  'network-policy',
  'disruption-budget',
  'http-service',
  'image-volume',
] as const;

/** Extras that are asked for. */
export const rareExtras: readonly Extra[] = ['http-service', 'image-volume'];
export type Extra = (typeof extras)[number];

/** What the MiniCluster does not say. */
export interface RenderOptions {
  /** flux-pod's own image, which installs flux-pod into the pod; undefined where the container's image has it on PATH. */
  readonly installer: string | undefined;
  /** An image with a Flux view and flux-pod, for MiniClusters that name no image of a view; undefined for the Operator's. */
  readonly viewImage?: string | undefined;
  /** The user of all containers that name none; `image` leaves it to the images. */
  readonly user: { readonly uid: number; readonly gid: number } | 'image';
  readonly extras: ReadonlySet<Extra>;
  /** The namespace of the controller's pods, which ask the leader for the state of the instance; undefined where no pod of a controller does. */
  readonly controllerNamespace?: string | undefined;
  /** An existing Secret with the certificate, in place of a new one. */
  readonly secret: string | undefined;
  /** A certificate to use instead of the MiniCluster's `curveCert`. */
  readonly certificate: string | undefined;
  /** A new certificate, for when there is no other. */
  readonly freshCertificate: string;
}

/** A container and where it stands in the MiniCluster. */
export interface Placed {
  readonly container: MiniClusterContainer;
  /** As in `spec.containers[0]`. */
  readonly path: string;
}

/** A MiniCluster that is being rendered: what all parts of the output ask. */
export interface Cluster {
  readonly miniCluster: MiniCluster;
  readonly spec: MiniClusterSpec;
  readonly name: string;
  readonly names: ReturnType<typeof namesOf>;
  readonly size: number;
  /** Brokers that must be online. */
  readonly quorum: number;
  readonly maxSize: number;
  /** The container that runs Flux. */
  readonly fluxContainer: Placed;
  readonly sidecars: readonly Placed[];
  readonly services: readonly Placed[];
  /** Where the Flux view is mounted; undefined where the image has Flux itself. */
  readonly view: string | undefined;
  readonly options: RenderOptions;
  readonly warn: Warn;
}

/**
 * The name of the container that runs Flux: the cluster's, as with the Operator (controllers/flux/containers.go), for
 * `kubectl logs POD -c NAME`; its own where it has one, which the Operator passes over.
 */
export const fluxContainerName = ({ name, fluxContainer }: Pick<Cluster, 'name' | 'fluxContainer'>): string =>
  fluxContainer.container.name ?? name;

export function clusterOf(miniCluster: MiniCluster, options: RenderOptions, warn: Warn): Cluster {
  const { spec } = miniCluster;
  const placed = (containers: readonly MiniClusterContainer[] = [], base: string): Placed[] =>
    containers.map((container, index) => ({ container, path: `${base}[${index}]` }));
  const containers = placed(spec.containers, 'spec.containers');
  const fluxContainer = containers.find(({ container }) => container.runFlux || containers.length === 1);
  if (!fluxContainer) throw new Error('a MiniCluster that was checked has a container that runs Flux');
  const view = spec.flux?.container;
  return {
    miniCluster,
    spec,
    name: miniCluster.metadata.name,
    names: namesOf(miniCluster.metadata.name, spec.network?.headlessName),
    size: spec.size,
    quorum: spec.minSize ?? spec.size,
    maxSize: spec.maxSize ?? spec.size,
    fluxContainer,
    sidecars: containers.filter((other) => other !== fluxContainer),
    services: placed(spec.services, 'spec.services'),
    view: view?.disable ? undefined : (view?.mountPath ?? '/mnt/flux').replace(/\/+$/, ''),
    options,
    warn,
  };
}
