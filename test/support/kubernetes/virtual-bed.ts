/** The controller, an API server and the rest of the cluster in one process on one virtual clock: the same every time, and fast. */
import type { KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { createEventRecorder } from '../../../controller/kubernetes/events.ts';
import {
  ownedResources,
  pathOf,
  type Resource,
  resources,
} from '../../../controller/kubernetes/resources.ts';
import type { MiniClusterStatus } from '../../../controller/reconcile/minicluster-status.ts';
import { renderingOptions } from '../../../controller/reconcile/rendering-options.ts';
import { clusterLabel } from '../../../controller/render/reserved/names.ts';
import { type ControllerOptions, runController } from '../../../controller/run-controller.ts';
import { startSimulator } from './cluster-simulator.ts';
import { type ApiCall, type FaultyOptions, faultyApi } from './faulty-api.ts';
import { memoryApi } from './memory-api.ts';
import { createObjectStore, type Stored } from './object-store.ts';
import { createVirtualClock } from './virtual-clock.ts';

const namespace = 'hpc';

const rendering = renderingOptions({
  installer: 'installer',
  seed: new Uint8Array(32).fill(7),
  user: { uid: 1000, gid: 1000 },
  extras: new Set(['probes']),
});

/** A certificate is most of the work; it depends on the uid alone. */
function rememberedOptions(): typeof rendering {
  const known = new Map<string, ReturnType<typeof rendering>>();
  return (object) => {
    const { uid = '' } = object.metadata;
    const options = known.get(uid) ?? rendering(object);
    known.set(uid, options);
    return options;
  };
}

export interface Instance {
  readonly calls: readonly ApiCall[];
  readonly warnings: readonly object[];
  /** SIGTERM; resolves when all work has ended. */
  readonly stop: () => Promise<void>;
  /** SIGKILL: nothing of it goes on. */
  readonly kill: () => void;
}

export interface StartOptions extends Partial<Omit<ControllerOptions, 'api' | 'record'>> {
  readonly fault?: FaultyOptions['fault'];
  readonly api?: KubernetesApi;
}

/** `podIP`: of all pods. Without one no leader has an address, so that none is linked to. */
export function createVirtualBed({ podIP }: { readonly podIP?: string } = {}) {
  const clock = createVirtualClock();
  const store = createObjectStore(undefined, { collectsGarbage: false });
  const api = memoryApi({ store, clock });
  const over = new AbortController();
  const simulator = startSimulator({
    api: memoryApi({ store, clock }),
    clock,
    signal: over.signal,
    ...(podIP !== undefined && { podIP }),
  });
  const collectionOf = (resource: Resource) => pathOf(resource, {});
  const all = (resource: Resource) => store.list(collectionOf(resource), namespace, undefined);
  const find = (resource: Resource, name = 'mc'): Stored | undefined =>
    store.find(collectionOf(resource), namespace, name);
  const renderOptions = rememberedOptions();
  let instances = 0;

  function start({ fault = () => undefined, ...options }: StartOptions = {}): Instance {
    const stopping = new AbortController();
    const calls: ApiCall[] = [];
    const warnings: object[] = [];
    let isDead = false;
    const kill = () => {
      isDead = true;
      stopping.abort();
    };
    const faulty = faultyApi(options.api ?? api, {
      clock,
      fault: (call) => {
        if (isDead) return 'dead';
        calls.push(call);
        const fate = fault(call);
        if (fate === 'dead' || fate === 'last') kill();
        return fate;
      },
    });
    const random = () => 0.5;
    const running = runController({
      record: createEventRecorder({
        api: faulty,
        instance: `controller-${instances++}`,
        onError: (error) => warnings.push({ error }),
        // As many as there are MiniClusters.
        writers: Number.POSITIVE_INFINITY,
        mostWaiting: Number.POSITIVE_INFINITY,
        clock,
        random,
      }),
      namespaces: undefined,
      cleanupMs: 0,
      links: { holder: 'test' },
      workers: 1000,
      clock,
      random,
      log: { info: () => undefined, warn: (fields) => warnings.push(fields) },
      renderOptions,
      ...options,
      api: faulty,
      signal: stopping.signal,
    });
    return {
      calls,
      warnings,
      stop: () => {
        stopping.abort();
        return running;
      },
      kill,
    };
  }

  return {
    clock,
    store,
    api,
    all,
    find,
    start,
    create: (object: Stored) =>
      store.create(collectionOf(resources.miniClusters), {
        ...object,
        metadata: { ...object.metadata, namespace },
      }),
    patch: (resource: Resource, name: string, patch: object, subresource?: string) =>
      store.patch(collectionOf(resource), namespace, name, patch as Stored, subresource),
    remove: (resource: Resource, name = 'mc') => store.delete(collectionOf(resource), namespace, name, {}),
    status: (name = 'mc') => find(resources.miniClusters, name)?.status as MiniClusterStatus | undefined,
    endProgram: (code: number, name = 'mc') => simulator.endProgram(namespace, name, code),
    /** Events by MiniCluster as `REASON: note`, oldest first, each as often as it happened. */
    stories: () => storiesOf(all(resources.events)),
    /** All objects by MiniCluster, with nothing in them that differs from one to the next of the same fate. */
    ends: () => endStates([...ownedResources, resources.pods, resources.miniClusters].flatMap(all)),
    over: () => over.abort(),
  };
}

export type VirtualBed = ReturnType<typeof createVirtualBed>;

interface Event {
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly name: string };
  readonly series?: { readonly count: number };
}

const storiesOf = (events: readonly Stored[]): ReadonlyMap<string, readonly string[]> =>
  new Map(
    [...Map.groupBy(events as readonly (Stored & Event)[], ({ regarding }) => regarding.name)].map(
      ([name, own]) => [
        name,
        own
          .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name))
          .flatMap(({ reason, note, series }) => Array<string>(series?.count ?? 1).fill(`${reason}: ${note}`))
          .map((line) => line.replaceAll(name, 'NAME')),
      ],
    ),
  );

type EndState = Readonly<Record<string, unknown>>;

/** Each by kind and name. Identities, versions, times and what follows from them are left out. */
function endStates(objects: readonly Stored[]): ReadonlyMap<string, EndState> {
  const clusterOf = ({ metadata: { labels, name } }: Stored) => labels?.[clusterLabel] ?? name;
  return new Map(
    [...Map.groupBy(objects, clusterOf)].map(([name, own]) => [
      name,
      Object.fromEntries(
        own.map((object) => lasting(object, name)).toSorted(([a], [b]) => a.localeCompare(b)),
      ),
    ]),
  );
}

function lasting({ metadata: { name, ...metadata }, data, ...object }: Stored, cluster: string) {
  const text = JSON.stringify({ ...object, metadata, data: Object.keys(data ?? {}) }, (key, value) =>
    volatile.has(key) ? undefined : value,
  );
  // Of a pod the last part of the name says which try it is.
  const title = `${object.kind} ${object.kind === 'Pod' ? name.replace(/-[^-]*$/, '') : name}`;
  return [title.replaceAll(cluster, 'NAME'), JSON.parse(text.replaceAll(cluster, 'NAME'))] as const;
}

const volatile = new Set([
  ...['uid', 'resourceVersion', 'creationTimestamp', 'jobid', 'lastTransitionTime', 'lastProbeTime'],
  ...['startTime', 'startedAt', 'finishedAt', 'completionTime'],
]);
