/** The controller: informers feed a queue of MiniClusters, each of which is reconciled by one worker at a time. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { MetricSources } from './controller-metrics.ts';
import { type KubernetesApi, type Scope, untilAborted } from './kubernetes/api.ts';
import { type Clock, systemClock } from './kubernetes/controller-clock.ts';
import type { RecordEvent } from './kubernetes/events.ts';
import type { Backoff } from './kubernetes/exponential-backoff.ts';
import { type Informer, startInformer } from './kubernetes/informer.ts';
import type { KubernetesObject } from './kubernetes/object.ts';
import { ownedResources, type Resource, resourceOf, resources } from './kubernetes/resources.ts';
import { createWorkQueue } from './kubernetes/work-queue.ts';
import { createLeaders, type Leaders, type LeadersOptions } from './leader-link/leaders.ts';
import type { MiniClusterStatus } from './reconcile/minicluster-status.ts';
import { type Copies, createReconciler, type ReconcilerOptions } from './reconcile/reconciler.ts';
import { ownManagedFields } from './reconcile/removed-fields.ts';
import { clusterLabel } from './render/reserved/names.ts';
import { isScale } from './size/size-owner.ts';

export interface ControllerOptions extends Pick<ReconcilerOptions, 'renderOptions' | 'cleanupMs'> {
  readonly api: KubernetesApi;
  readonly record: RecordEvent;
  /** Undefined: all namespaces. */
  readonly namespaces: readonly string[] | undefined;
  /** The only MiniCluster, by its name. Undefined: all of the namespaces. */
  readonly miniCluster?: string | undefined;
  readonly log: {
    readonly info: (fields: object, message: string) => void;
    readonly warn: (fields: object, message: string) => void;
  };
  readonly signal: AbortSignal;
  /** Of the links to the leaders. */
  readonly links: Omit<LeadersOptions, 'onChange' | 'onFailure' | 'onRefused'>;
  /** In place of links over the network. */
  readonly createLeaders?: (options: LeadersOptions) => Leaders;
  /** MiniClusters that are reconciled at the same time. */
  readonly workers?: number;
  readonly backoff?: Backoff;
  /** Of lists and watches that fail. */
  readonly watchBackoff?: Backoff;
  readonly clock?: Clock;
  /** Of the jitter of both. */
  readonly random?: () => number;
  readonly onReconciled?: (seconds: number, error: unknown) => void;
  /** When all resources have been listed: what there is to observe. */
  readonly onSynced?: (sources: MetricSources) => void;
}

const usualBackoff: Backoff = { first: 100, most: 60_000 };
const usualWatchBackoff: Backoff = { first: 200, most: 30_000 };

/** Resolves when `signal` has aborted and the work under way has ended. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { api, log, signal, workers = 16, backoff = usualBackoff, onReconciled } = options;
  const { clock = systemClock, random = Math.random } = options;
  const copies = createCopies();
  const queue = createWorkQueue({
    workers,
    backoff,
    random,
    clock,
    work: async (key) => {
      const [namespace = '', name = ''] = key.split('/');
      const from = clock.monotonic();
      const report = (error?: unknown) => onReconciled?.((clock.monotonic() - from) / 1000, error);
      try {
        const { again } = await reconcile(namespace, name);
        report();
        if (again !== undefined) queue.addAfter(key, again);
      } catch (error) {
        report(error);
        throw error;
      }
    },
    onFailure: (key, error, delayMs) => {
      if (!signal.aborted)
        log.warn(
          { miniCluster: key, error, seconds: delayMs / 1000 },
          'Cannot reconcile a MiniCluster: retried',
        );
    },
  });
  const leaders = (options.createLeaders ?? createLeaders)({
    clock,
    ...options.links,
    onChange: (key) => queue.add(key),
    onFailure: (key, why) =>
      log.warn({ miniCluster: key, why }, 'Cannot link to a leader: its pods are counted by readiness'),
    onRefused: (key, size) =>
      log.warn(
        { miniCluster: key, size },
        'A leader frees no ranks: its MiniCluster grows and does not shrink',
      ),
  });
  const reconcile = createReconciler({
    ...options,
    // One that does not lead any more, or is asked to stop, leaves the rest to the next one.
    api: untilAborted(api, signal),
    copies,
    now: clock.now,
    monotonic: clock.monotonic,
    followLeader: (namespace, name, target) => leaders.follow(keyOf(namespace, name), target),
    keep: (namespace, name, size) => leaders.keep(keyOf(namespace, name), size),
  });
  const informers = [resources.miniClusters, resources.pods, ...ownedResources].flatMap((resource) =>
    (options.namespaces ?? [undefined]).map((namespace) =>
      startInformer({
        api,
        resource,
        scope: {
          ...(namespace !== undefined && { namespace }),
          ...selectorOf(resource, options.miniCluster),
        },
        trim: withReadManagedFields,
        onChange: (object) => {
          const key = copies.note(resource, object);
          if (key !== undefined && isSynced) queue.add(key);
        },
        onError: (error) =>
          log.warn({ resource: resource.plural, error }, 'Cannot watch a resource: retried'),
        backoff: options.watchBackoff ?? usualWatchBackoff,
        random,
        clock,
        signal,
      }),
    ),
  );
  copies.informers = informers;
  let isSynced = false;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(informers.map(({ synced }) => synced)), aborted]);
  if (!signal.aborted) {
    isSynced = true;
    const { namespaces = 'all', miniCluster } = options;
    log.info({ namespaces, ...(miniCluster !== undefined && { miniCluster }) }, 'All resources are watched');
    options.onSynced?.({ depth: queue.depth, conditions: copies.conditions });
    for (const key of copies.miniClusterKeys()) queue.add(key);
  }
  await aborted;
  await queue.close();
  leaders.close();
}

/** MiniClusters by name, what is theirs by its label. */
function selectorOf(
  resource: Resource,
  miniCluster: string | undefined,
): Pick<Scope, 'name' | 'labelSelector'> {
  if (resource === resources.miniClusters) return miniCluster === undefined ? {} : { name: miniCluster };
  return { labelSelector: miniCluster === undefined ? clusterLabel : `${clusterLabel}=${miniCluster}` };
}

/** Those of other managers are as large as the rest, and not read, but for who has scaled it. */
function withReadManagedFields(object: KubernetesObject): KubernetesObject {
  const { managedFields: all = [], ...metadata } = object.metadata;
  const own = [...ownManagedFields(object), ...all.filter(isScale)];
  return { ...object, metadata: { ...metadata, ...(own.length > 0 && { managedFields: own }) } };
}

const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;

/** The informers' copies by MiniCluster. */
function createCopies() {
  const groups = new Map<string, Map<string, KubernetesObject>>();
  const labelOf = ({ metadata }: KubernetesObject) => metadata.labels?.[clusterLabel];
  const membersOf = (namespace: string, name: string) => [
    ...(groups.get(keyOf(namespace, name))?.values() ?? []),
  ];
  const copies = {
    informers: [] as readonly Informer[],
    /** Files a change under its MiniCluster, whose key it returns. */
    note(resource: Resource, object: KubernetesObject): string | undefined {
      const { namespace = '', name } = object.metadata;
      if (resource === resources.miniClusters) return keyOf(namespace, name);
      const cluster = labelOf(object);
      if (cluster === undefined) return undefined;
      const key = keyOf(namespace, cluster);
      const group = groups.get(key) ?? new Map<string, KubernetesObject>();
      const id = `${resource.plural}/${name}`;
      const current = find(resource, namespace, name);
      if (current) group.set(id, current);
      else group.delete(id);
      if (group.size > 0) groups.set(key, group);
      else groups.delete(key);
      return key;
    },
    wrote: (object: KubernetesObject) => {
      for (const informer of copies.informers)
        if (informer.resource === resourceOf(object)) informer.wrote(object);
      copies.note(resourceOf(object), object);
    },
    /** MiniClusters by the conditions that hold. */
    conditions: () => {
      const counts = new Map<string, number>();
      for (const { status } of miniClusters() as Iterable<{ status?: MiniClusterStatus }>)
        for (const { type, status: is } of status?.conditions ?? [])
          counts.set(type, (counts.get(type) ?? 0) + (is === 'True' ? 1 : 0));
      return counts;
    },
    miniClusterKeys: () =>
      [...miniClusters()].map(({ metadata: { namespace = '', name } }) => keyOf(namespace, name)),
    miniCluster: (namespace: string, name: string) => find(resources.miniClusters, namespace, name),
    owned: (namespace: string, name: string) =>
      membersOf(namespace, name).filter((object) => resourceOf(object) !== resources.pods),
    pods: (namespace: string, name: string) =>
      membersOf(namespace, name).filter(
        (object) => resourceOf(object) === resources.pods,
      ) as unknown as Pod[],
  };
  const miniClusters = () =>
    copies.informers
      .filter(({ resource }) => resource === resources.miniClusters)
      .flatMap((informer) => [...informer.all()]);
  const find = (resource: Resource, namespace: string, name: string) => {
    for (const informer of copies.informers) {
      const object = informer.resource === resource ? informer.get(namespace, name) : undefined;
      if (object) return object;
    }
    return undefined;
  };
  return copies satisfies Copies;
}
