/** What decides on the size of a MiniCluster: read off its managedFields. Pure. */
import type { KubernetesObject, ManagedFields } from '../kubernetes/object.ts';
import type { SizeOwner } from './next-size.ts';

/** An entry of the scale subresource that has set spec.size: of `kubectl scale`, an HPA, KEDA. It goes when spec.size is changed otherwise. */
export const isScale = ({ subresource, fieldsV1 }: ManagedFields): boolean =>
  subresource === 'scale' && (fieldsV1 as ScaleFields | undefined)?.['f:spec']?.['f:size'] !== undefined;

interface ScaleFields {
  readonly 'f:spec'?: { readonly 'f:size'?: object };
}

export function sizeOwner({ metadata }: KubernetesObject, followsDemand: boolean): SizeOwner {
  const scale = metadata.managedFields?.find(isScale);
  if (scale) return `Scale:${scale.manager ?? 'unknown'}`;
  return followsDemand ? 'Demand' : 'Spec';
}
