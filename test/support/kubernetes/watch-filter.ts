/** What a watch shows of a change (apiserver pkg/storage/cacher): what comes to match its selector is added, what no longer does is deleted. */
import { type Stored, type StoreEvent, selects } from './object-store.ts';

export interface Watched {
  readonly collection: string;
  /** '' for all. */
  readonly namespace: string;
  readonly labelSelector: string | undefined;
  /** Undefined for all. */
  readonly name?: string | undefined;
}

export function shownBy(
  { collection, namespace, labelSelector, name }: Watched,
  { type, object, before, ...event }: StoreEvent,
): { readonly type: StoreEvent['type']; readonly object: Stored } | undefined {
  if (event.collection !== collection) return undefined;
  if (namespace !== '' && object.metadata.namespace !== namespace) return undefined;
  if (name !== undefined && object.metadata.name !== name) return undefined;
  const matches = selects(labelSelector, object);
  const matched = before ? selects(labelSelector, before) : false;
  if (matches) return { type: !matched && type === 'MODIFIED' ? 'ADDED' : type, object };
  if (!before || !matched) return undefined;
  // The state before, with the version of the change.
  const { resourceVersion = '' } = object.metadata;
  return { type: 'DELETED', object: { ...before, metadata: { ...before.metadata, resourceVersion } } };
}
