/** The objects of an API server in memory: resourceVersions, generations, watches that end with 410, finalizers, garbage collection. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { changedLeaves, fieldsV1Of, leavesOf, merge, mergePatch } from './field-ownership.ts';

export type Stored = KubernetesObject & { spec?: unknown; status?: unknown; data?: unknown };
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly collection: string;
  readonly object: Stored;
  /** Undefined for a new one. */
  readonly before: Stored | undefined;
  readonly version: number;
}

/** An answer that is an error: metav1.Status. */
export class Refused extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

const notFound = (what: string) => new Refused(404, 'NotFound', `${what} not found`);
const conflict = (what: string) =>
  new Refused(409, 'Conflict', `Operation cannot be fulfilled on ${what}: the object has been modified`);

/** Events that are kept for watches that begin later. */
const history = 1000;

/** Fields of a MiniCluster's status that the CRD has; undefined: all. */
export interface Schema {
  statusFields: readonly string[] | undefined;
}

export function createObjectStore(
  schema: Schema = { statusFields: undefined },
  /** Without it dependents stay until somebody else deletes them, as with an API server alone. */
  { collectsGarbage = true } = {},
) {
  /** By collection (`/apis/batch/v1/jobs`), then by `namespace/name`. */
  const collections = new Map<string, Map<string, Stored>>();
  /** By object, then by manager: the leaves that it has set. */
  const managers = new Map<string, Map<string, Set<string>>>();
  const events: StoreEvent[] = [];
  const listeners = new Set<(event: StoreEvent) => void>();
  let version = 1;
  /** Watches from before this version end with 410. */
  let oldest = 0;

  const of = (collection: string) => {
    const found = collections.get(collection) ?? new Map<string, Stored>();
    collections.set(collection, found);
    return found;
  };
  const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;

  function emit(type: StoreEvent['type'], collection: string, object: Stored, before?: Stored): void {
    const event: StoreEvent = { type, collection, object, before, version };
    events.push(event);
    if (events.length > history) oldest = events.shift()?.version ?? oldest;
    for (const listener of [...listeners]) listener(event);
  }

  function put(collection: string, before: Stored | undefined, wanted: Stored): Stored {
    const { namespace = '', name } = wanted.metadata;
    const what = `${wanted.kind} "${name}"`;
    validate(before, wanted);
    const { resourceVersion: given, ...metadata } = wanted.metadata;
    if (before && given !== undefined && given !== before.metadata.resourceVersion) throw conflict(what);
    const own = ({ metadata: _, status: __, ...rest }: Stored) => rest;
    const specChanged = !before || !isDeepStrictEqual(own(before), own(wanted));
    const generation = (before?.metadata.generation ?? 0) + (specChanged ? 1 : 0);
    const candidate = {
      ...wanted,
      metadata: { ...metadata, generation, resourceVersion: before?.metadata.resourceVersion },
    };
    if (before && isDeepStrictEqual(candidate, before)) return before;
    version++;
    const stored: Stored = {
      ...candidate,
      metadata: {
        ...candidate.metadata,
        uid: before?.metadata.uid ?? randomUUID(),
        creationTimestamp:
          before?.metadata.creationTimestamp ?? new Date().toISOString().replace(/\.\d+Z/, 'Z'),
        resourceVersion: String(version),
      },
    };
    of(collection).set(keyOf(namespace, name), stored);
    emit(before ? 'MODIFIED' : 'ADDED', collection, stored, before);
    if (stored.metadata.deletionTimestamp !== undefined && !stored.metadata.finalizers?.length)
      remove(collection, stored);
    return stored;
  }

  function remove(collection: string, object: Stored): void {
    const { namespace = '', name, uid } = object.metadata;
    if (!of(collection).delete(keyOf(namespace, name))) return;
    managers.delete(`${collection} ${keyOf(namespace, name)}`);
    version++;
    emit('DELETED', collection, {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(version) },
    });
    // The garbage collector, a controller of its own.
    if (collectsGarbage) queueMicrotask(() => collect(uid ?? ''));
  }

  function collect(uid: string): void {
    for (const [collection, objects] of collections)
      for (const object of objects.values())
        if (object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) remove(collection, object);
  }

  const get = (collection: string, namespace: string, name: string): Stored => {
    const found = of(collection).get(keyOf(namespace, name));
    if (!found) throw notFound(`${collection} "${name}"`);
    return found;
  };

  const ownersOf = (collection: string, namespace: string, name: string): Map<string, Set<string>> =>
    managers.get(`${collection} ${keyOf(namespace, name)}`) ?? new Map();

  return {
    get,
    find: (collection: string, namespace: string, name: string): Stored | undefined =>
      of(collection).get(keyOf(namespace, name)),
    version: () => version,
    list: (collection: string, namespace: string, labelSelector: string | undefined): Stored[] =>
      [...of(collection).values()]
        .filter(({ metadata }) => namespace === '' || metadata.namespace === namespace)
        .filter((object) => selects(labelSelector, object))
        .sort((a, b) =>
          keyOf(a.metadata.namespace ?? '', a.metadata.name).localeCompare(
            keyOf(b.metadata.namespace ?? '', b.metadata.name),
          ),
        ),
    create(collection: string, object: Stored): Stored {
      const { namespace = '', name } = object.metadata;
      if (of(collection).has(keyOf(namespace, name)))
        throw new Refused(409, 'AlreadyExists', `${object.kind} "${name}" already exists`);
      return put(collection, undefined, { ...object, metadata: { ...object.metadata, namespace } });
    },
    /** Server-side apply with force. */
    apply(collection: string, applied: Stored, manager: string, subresource: string | undefined): Stored {
      const { namespace = '', name } = applied.metadata;
      const before = of(collection).get(keyOf(namespace, name));
      if (subresource !== undefined && !before) throw notFound(`${applied.kind} "${name}"`);
      const { status, ...main } = applied;
      const part = (subresource === 'status' ? { status } : main) as Stored;
      const owners = ownersOf(collection, namespace, name);
      const id = [manager, 'Apply', subresource].join(' ');
      const leaves = new Set(leavesOf(part));
      const others = new Set([...owners].filter(([other]) => other !== id).flatMap(([, set]) => [...set]));
      const dropped = new Set(
        [...(owners.get(id) ?? [])].filter((leaf) => !leaves.has(leaf) && !others.has(leaf)),
      );
      const merged = merge(before ?? { ...applied, status: undefined }, part, dropped) as Stored;
      const { status: none, ...withoutStatus } = merged;
      const now = new Map([...owners].map(([other, set]) => [other, without(set, leaves)]));
      now.set(id, leaves);
      const wanted = none === undefined ? (withoutStatus as Stored) : merged;
      const stored = put(collection, before, withManagedFields(wanted, now));
      managers.set(`${collection} ${keyOf(namespace, name)}`, now);
      return stored;
    },
    patch(
      collection: string,
      namespace: string,
      name: string,
      patch: Stored,
      subresource: string | undefined,
      manager = 'kubectl',
    ): Stored {
      const before = get(collection, namespace, name);
      const { status: given, ...main } = patch;
      const status = before.kind === 'MiniCluster' ? pruned(given, schema) : given;
      if (subresource === 'status')
        return put(collection, before, mergePatch(before, { metadata: patch.metadata, status }) as Stored);
      const wanted = mergePatch(before, main) as Stored;
      const { set, gone } = changedLeaves(before, wanted);
      const taken = new Set([...set, ...gone]);
      const id = [manager, 'Update', subresource].join(' ');
      const now = new Map(
        [...ownersOf(collection, namespace, name)].map(([other, leaves]) => [other, without(leaves, taken)]),
      );
      now.set(id, new Set([...set, ...(now.get(id) ?? [])]));
      const stored = put(collection, before, withManagedFields(wanted, now));
      managers.set(`${collection} ${keyOf(namespace, name)}`, now);
      return stored;
    },
    delete(
      collection: string,
      namespace: string,
      name: string,
      { uid, propagation = 'Background' }: { uid?: string; propagation?: string },
    ): Stored {
      const object = get(collection, namespace, name);
      if (uid !== undefined && uid !== object.metadata.uid) throw conflict(`${object.kind} "${name}"`);
      if (propagation === 'Orphan') {
        for (const [other, objects] of collections)
          for (const dependent of objects.values()) {
            const owners = dependent.metadata.ownerReferences;
            if (!owners?.some((owner) => owner.uid === object.metadata.uid)) continue;
            const { resourceVersion: _, ...metadata } = dependent.metadata;
            const kept = owners.filter((owner) => owner.uid !== object.metadata.uid);
            put(other, dependent, { ...dependent, metadata: { ...metadata, ownerReferences: kept } });
          }
      }
      if (object.metadata.finalizers?.length) {
        const { resourceVersion: _, ...metadata } = object.metadata;
        return put(collection, object, {
          ...object,
          metadata: { ...metadata, deletionTimestamp: metadata.deletionTimestamp ?? 'now' },
        });
      }
      remove(collection, object);
      return object;
    },
    /** Events after `from` and those to come. Throws 410 where they are no longer kept. */
    watch(from: number, listener: (event: StoreEvent) => void): () => void {
      if (from < oldest) throw new Refused(410, 'Expired', `too old resource version: ${from} (${oldest})`);
      for (const event of events) if (event.version > from) listener(event);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** From now on a watch must begin with a list. */
    compact: () => {
      oldest = version;
      events.length = 0;
    },
  };
}

/** With the managedFields of the managers, each `NAME OPERATION SUBRESOURCE`. */
function withManagedFields(object: Stored, owners: ReadonlyMap<string, ReadonlySet<string>>): Stored {
  const { managedFields: _, ...metadata } = object.metadata;
  const managedFields = [...owners].flatMap(([id, leaves]) => {
    const [manager = '', operation = '', subresource = ''] = id.split(' ');
    const fieldsV1 = fieldsV1Of(object, leaves);
    if (Object.keys(fieldsV1).length === 0) return [];
    return [{ manager, operation, apiVersion: object.apiVersion, subresource, fieldsV1 }];
  });
  return { ...object, metadata: { ...metadata, ...(managedFields.length > 0 && { managedFields }) } };
}

const without = (leaves: ReadonlySet<string>, taken: ReadonlySet<string>): Set<string> =>
  new Set([...leaves].filter((leaf) => !taken.has(leaf)));

export type ObjectStore = ReturnType<typeof createObjectStore>;

const pruned = (status: unknown, { statusFields }: Schema): unknown =>
  statusFields === undefined || typeof status !== 'object' || status === null
    ? status
    : Object.fromEntries(Object.entries(status).filter(([field]) => statusFields.includes(field)));

/** `key`, `key=value`, joined by commas. */
export const selects = (selector: string | undefined, { metadata }: KubernetesObject): boolean =>
  (selector ?? '')
    .split(',')
    .filter(Boolean)
    .every((term) => {
      const [key = '', value] = term.split('=');
      return value === undefined ? metadata.labels?.[key] !== undefined : metadata.labels?.[key] === value;
    });

/** What the API server refuses of what the controller could send (kubernetes pkg/apis/batch/validation and core). */
function validate(before: Stored | undefined, after: Stored): void {
  if (after.kind === 'Job') validateResources(after);
  if (!before) return;
  const invalid = (field: string) =>
    new Refused(
      422,
      'Invalid',
      `${after.kind} "${after.metadata.name}" is invalid: ${field}: field is immutable`,
    );
  if (after.kind === 'Job') {
    const [old, now] = [before.spec, after.spec] as [Record<string, unknown>, Record<string, unknown>];
    for (const field of [
      'template',
      'completionMode',
      'podFailurePolicy',
      'successPolicy',
      'backoffLimitPerIndex',
    ])
      if (!isDeepStrictEqual(old[field], now[field])) throw invalid(`spec.${field}`);
  }
  if (
    after.kind === 'Secret' &&
    (before as { immutable?: boolean }).immutable &&
    !isDeepStrictEqual(before.data, after.data)
  )
    throw invalid('data');
}

interface WithContainers {
  readonly template?: {
    readonly spec?: { readonly containers?: readonly { readonly resources?: Amounts }[] };
  };
}
type Amounts = Readonly<Record<'requests' | 'limits', { readonly cpu?: string } | undefined>>;

/** kubernetes pkg/apis/core/validation, ValidateContainerResourceRequirements: of whole CPUs only. */
function validateResources({ kind, metadata: { name }, spec }: Stored): void {
  for (const { resources } of (spec as WithContainers | undefined)?.template?.spec?.containers ?? [])
    if (Number(resources?.requests?.cpu) > Number(resources?.limits?.cpu))
      throw new Refused(
        422,
        'Invalid',
        `${kind} "${name}" is invalid: requests: must be less than or equal to cpu limit`,
      );
}
