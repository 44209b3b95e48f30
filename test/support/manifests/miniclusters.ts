import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Container, EnvVar, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { RenderOptions } from '../../../controller/render/minicluster/cluster.ts';
import { readMiniCluster } from '../../../controller/render/minicluster/read-minicluster.ts';
import {
  type Manifest,
  type Rendering,
  renderMiniCluster,
} from '../../../controller/render/render-minicluster.ts';

/** What a MiniCluster's `spec` looks like before it is checked. */
export type GivenSpec = Readonly<Record<string, unknown>>;

/** A MiniCluster of four pods that runs `hostname`, with these fields of `spec` and of its only container. */
export const miniCluster = (spec: GivenSpec = {}, container: GivenSpec = {}, metadata: GivenSpec = {}) => ({
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  metadata: { name: 'mc', ...metadata },
  spec: { size: 4, containers: [{ image: 'ubuntu:noble', command: 'hostname', ...container }], ...spec },
});

export const usualOptions: RenderOptions = {
  installer: 'flux-pod-installer:1',
  user: { uid: 1000, gid: 1000 },
  extras: new Set(['probes', 'network-policy', 'disruption-budget']),
  secret: undefined,
  certificate: undefined,
  freshCertificate: 'a fresh certificate',
};

/** Renders what miniCluster() makes. */
export const render = (
  spec: GivenSpec = {},
  container: GivenSpec = {},
  options: Partial<RenderOptions> = {},
): Rendering =>
  renderMiniCluster(readMiniCluster(miniCluster(spec, container)), { ...usualOptions, ...options });

/** What has manifests, however they were made. */
type Rendered = Pick<Rendering, 'manifests'>;

/** The only manifest of a kind, or the one of a name. */
export function manifest<Kind extends Manifest['kind']>(
  { manifests }: Rendered,
  kind: Kind,
  name?: string,
): Extract<Manifest, { kind?: Kind }> {
  const found = manifests.filter(
    (each) => each.kind === kind && (name === undefined || each.metadata?.name === name),
  );
  if (found.length !== 1) throw new Error(`expected one ${kind} ${name ?? ''}, not ${found.length}`);
  return found[0] as Extract<Manifest, { kind?: Kind }>;
}

export const jobOf = (rendering: Rendered): Job => manifest(rendering, 'Job');

export function podOf(rendering: Rendered): PodSpec {
  const pod = jobOf(rendering).spec?.template.spec;
  if (!pod) throw new Error('the Job has no pods');
  return pod;
}

/** The container that runs Flux. */
export function fluxContainerOf(rendering: Rendered): Container {
  const [fluxContainer] = podOf(rendering).containers;
  if (!fluxContainer) throw new Error('the pod has no container');
  return fluxContainer;
}

export const environmentOf = (container: Container): Record<string, EnvVar['value']> =>
  Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));

export const warningsOf = ({ warnings }: Rendering): string[] =>
  warnings.map(({ path, why }) => `${path} ${why}`);
