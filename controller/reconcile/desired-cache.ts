/**
 * One rendering a MiniCluster, kept while what it depends on stays the same: most events are about pods and the status, and a rendering
 * derives a key pair.
 */
import type { KubernetesObject } from '../kubernetes/object.ts';
import type { RenderOptions } from '../render/minicluster/cluster.ts';
import { jobSizes } from '../size/asked-size.ts';
import { isScale } from '../size/size-owner.ts';
import { type Desired, desiredOf, type Invalid } from './desired.ts';

export interface DesiredCache {
  readonly desired: (object: KubernetesObject, job: KubernetesObject | undefined) => Desired | Invalid;
  /** Of a MiniCluster that is away. */
  readonly forget: (namespace: string, name: string) => void;
}

export function createDesiredCache(renderOptions: (object: KubernetesObject) => RenderOptions): DesiredCache {
  const renderings = new Map<string, { readonly inputs: string; readonly desired: Desired | Invalid }>();
  const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;
  return {
    desired: (object, job) => {
      const key = keyOf(object.metadata.namespace ?? '', object.metadata.name);
      const inputs = inputsOf(object, job);
      const kept = renderings.get(key);
      if (kept?.inputs === inputs) return kept.desired;
      const desired = desiredOf(object, job, renderOptions(object));
      renderings.set(key, { inputs, desired });
      return desired;
    },
    forget: (namespace, name) => void renderings.delete(keyOf(namespace, name)),
  };
}

/** What `desiredOf` reads: a change of `spec`, and of nothing else, is another generation; the rest of the metadata never changes. */
function inputsOf({ metadata }: KubernetesObject, job: KubernetesObject | undefined): string {
  const { uid, generation, labels, annotations } = metadata;
  // Who owns spec.size changes also without another generation.
  const scale = metadata.managedFields?.find(isScale)?.manager;
  return JSON.stringify([uid, generation, labels, annotations, jobSizes(job), scale]);
}
