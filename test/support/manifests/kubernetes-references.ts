import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Manifest } from '../../../controller/render/render-minicluster.ts';

export const podsOf = (manifests: readonly Manifest[]): PodSpec[] =>
  manifests.flatMap((manifest) =>
    manifest.kind === 'Job' || manifest.kind === 'Deployment' ? (manifest.spec?.template.spec ?? []) : [],
  );

/** Rules of the API server beyond the schema: names are unique, mounts have volumes and places of their own. */
export function referenceProblems(manifest: Manifest): string[] {
  return podsOf([manifest]).flatMap((pod) => {
    const volumes = (pod.volumes ?? []).map(({ name }) => name);
    const containers = [...(pod.initContainers ?? []), ...pod.containers];
    const mounts = containers.flatMap(({ name, volumeMounts = [] }) => [
      ...repeated(volumeMounts.map(({ mountPath }) => mountPath)).map(
        (path) => `${name} mounts twice at ${path}`,
      ),
      ...volumeMounts
        .filter((mount) => !volumes.includes(mount.name))
        .map((mount) => `${name}: no volume ${mount.name}`),
    ]);
    const variables = containers.flatMap(({ name, env = [] }) =>
      repeated(env.map((variable) => variable.name)).map((twice) => `${name}: ${twice} is set twice`),
    );
    return [...mounts, ...variables, ...repeated(volumes), ...repeated(containers.map(({ name }) => name))];
  });
}

const repeated = (values: readonly string[]): string[] =>
  values.filter((value, index) => values.indexOf(value) < index);
