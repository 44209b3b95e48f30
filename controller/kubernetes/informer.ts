/** A local copy of a collection, kept by list and watch (client-go tools/cache, Reflector). */
import { hasStatus, type KubernetesApi, retryAfter, type Scope } from './api.ts';
import { type Clock, pause, systemClock } from './controller-clock.ts';
import { type Backoff, nextDelay } from './exponential-backoff.ts';
import { type KubernetesObject, referenceOf, titleOf } from './object.ts';
import type { Resource } from './resources.ts';

export interface Informer {
  readonly resource: Resource;
  /** Fulfilled when the copy is complete for the first time. */
  readonly synced: Promise<void>;
  readonly get: (namespace: string, name: string) => KubernetesObject | undefined;
  readonly all: () => Iterable<KubernetesObject>;
  /** An answer to a write of our own, which the watch has not brought yet. Not reported to `onChange`. */
  readonly wrote: (object: KubernetesObject) => void;
}

export interface InformerOptions {
  readonly api: KubernetesApi;
  readonly resource: Resource;
  readonly scope: Scope;
  /** What changed: the object as it is, or as it was before it was deleted. */
  readonly onChange: (object: KubernetesObject) => void;
  /** A list or watch has failed, and is tried again. */
  readonly onError: (error: unknown) => void;
  readonly backoff: Backoff;
  readonly random?: () => number;
  readonly clock?: Clock;
  /** Fields that are not needed, such as managedFields, are left out of the copy. */
  readonly trim?: (object: KubernetesObject) => KubernetesObject;
  readonly signal: AbortSignal;
}

export function startInformer(options: InformerOptions): Informer {
  const { resource, trim = (object) => object, onChange } = options;
  const store = new Map<string, KubernetesObject>();
  const { promise: synced, resolve: onSynced } = Promise.withResolvers<void>();
  const keyOf = (object: KubernetesObject) => titleOf(referenceOf(object));

  const put = (object: KubernetesObject) => {
    const before = store.get(keyOf(object));
    if (before?.metadata.uid === object.metadata.uid && !isNewer(object, before?.metadata.resourceVersion))
      return;
    const kept = trim(object);
    store.set(keyOf(object), kept);
    onChange(kept);
  };
  /** The last versions of what was deleted: the answer to a write may come after the watch has reported the deletion. */
  const removed = new Map<string, string | undefined>();
  const remove = (object: KubernetesObject) => {
    const key = keyOf(object);
    removed.delete(key);
    removed.set(key, object.metadata.resourceVersion);
    const [oldest] = removed.keys();
    if (removed.size > mostRemoved && oldest !== undefined) removed.delete(oldest);
    if (store.delete(key)) onChange(object);
  };
  /** What a list does not have any more was deleted while nothing was watched. */
  const replace = (items: readonly KubernetesObject[]) => {
    const present = new Set(items.map(keyOf));
    for (const [key, object] of store) if (!present.has(key)) remove(object);
    for (const object of items) put(object);
  };

  void keepInSync(options, { put, remove, replace, onSynced });
  return {
    resource,
    synced,
    get: (namespace, name) => store.get(titleOf({ ...identityOf(resource), namespace, name })),
    all: () => store.values(),
    wrote: (object) => {
      const { namespace } = options.scope;
      if (namespace !== undefined && object.metadata.namespace !== namespace) return;
      const known = store.get(keyOf(object))?.metadata.resourceVersion ?? removed.get(keyOf(object));
      if (isNewer(object, known)) store.set(keyOf(object), trim(object));
    },
  };
}

/** More than can be written while one answer is under way. */
const mostRemoved = 1000;

/** Resource versions of one resource grow (KEP-5504); where they are no numbers, the later answer counts. */
function isNewer({ metadata }: KubernetesObject, than: string | undefined): boolean {
  const [version, earlier] = [Number(metadata.resourceVersion), Number(than)];
  return Number.isNaN(version) || Number.isNaN(earlier) || version > earlier;
}

const identityOf = ({ kind, version }: Resource) => ({ kind, apiVersion: version });

interface Store {
  readonly put: (object: KubernetesObject) => void;
  readonly remove: (object: KubernetesObject) => void;
  readonly replace: (items: readonly KubernetesObject[]) => void;
  readonly onSynced: () => void;
}

/** Lists once; then watches, and lists again only when the API server no longer has the events since (410). */
async function keepInSync(options: InformerOptions, store: Store): Promise<void> {
  const {
    api,
    resource,
    scope,
    signal,
    onError,
    backoff,
    random = Math.random,
    clock = systemClock,
  } = options;
  let resourceVersion: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let least = 0;
    const startedAt = clock.monotonic();
    try {
      if (resourceVersion === undefined) {
        const list = await api.list(resource, scope, signal);
        signal.throwIfAborted();
        store.replace(list.items);
        resourceVersion = list.resourceVersion;
        store.onSynced();
      }
      await api.watch(
        resource,
        { ...scope, resourceVersion },
        (event) => {
          failures = 0;
          if (event.type === 'BOOKMARK') resourceVersion = event.resourceVersion;
          else {
            resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
            if (event.type === 'DELETED') store.remove(event.object);
            else store.put(event.object);
          }
        },
        signal,
      );
      // The API server ends a watch after some minutes. One that ends at once, again and again, is a failure.
      if (clock.monotonic() - startedAt >= backoff.most) failures = 0;
      failures++;
      if (failures === 1) continue;
    } catch (error) {
      if (signal.aborted) return;
      if (hasStatus(error, 410)) resourceVersion = undefined;
      else onError(error);
      least = retryAfter(error);
      failures++;
    }
    await pause(clock, Math.max(least, nextDelay(backoff, failures, random)), signal);
  }
}
