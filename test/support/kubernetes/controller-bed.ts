/** The controller beside an API server, in memory over HTTP or a real one, and what the rest of a cluster does. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from '../../../controller/kubernetes/controller-clock.ts';
import { createEventRecorder } from '../../../controller/kubernetes/events.ts';
import { httpApi } from '../../../controller/kubernetes/http-api.ts';
import { ownedResources, type Resource, resources } from '../../../controller/kubernetes/resources.ts';
import { activePods, isReady } from '../../../controller/reconcile/job-state.ts';
import type { MiniClusterStatus } from '../../../controller/reconcile/minicluster-status.ts';
import { renderingOptions } from '../../../controller/reconcile/rendering-options.ts';
import { type ControllerOptions, runController } from '../../../controller/run-controller.ts';
import { type MemoryApiServer, startApiServer } from './api-server.ts';
import { type ClusterSimulator, startSimulator } from './cluster-simulator.ts';
import { type ApiCall, faultyApi } from './faulty-api.ts';
import type { Stored } from './object-store.ts';

const seed = new Uint8Array(32).fill(7);

export const miniCluster = (spec: object = {}, metadata: object = {}): Stored => ({
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  metadata: { name: 'mc', namespace: 'hpc', ...metadata },
  spec: {
    size: 2,
    containers: [{ image: 'a', command: 'true' }],
    flux: { container: { disable: true } },
    ...spec,
  },
});

export interface ControllerBed extends AsyncDisposable {
  readonly namespace: string;
  /** Requests of the controller. */
  readonly calls: readonly ApiCall[];
  readonly warnings: object[];
  /** Creates an object in the bed's namespace. */
  readonly create: (object: Stored) => Promise<Stored>;
  readonly find: (resource: Resource, name?: string) => Promise<Stored | undefined>;
  readonly all: (resource: Resource) => Promise<Stored[]>;
  readonly owned: () => Promise<Stored[]>;
  /** Edits an object, as another field manager. */
  readonly patch: (resource: Resource, name: string, patch: object, subresource?: 'status') => Promise<void>;
  /** As `kubectl scale` does. */
  readonly scale: (size: number, name?: string) => Promise<void>;
  readonly remove: (resource: Resource, name?: string) => Promise<void>;
  readonly status: (name?: string) => Promise<MiniClusterStatus | undefined>;
  /** From now on pods run, at this address if any, and what has lost its owner goes. */
  readonly simulate: (podIP?: string) => void;
  /** Resolves when all pods of a Job are ready. */
  readonly runPods: (name?: string) => Promise<void>;
  /** The program of a Job whose pods run, or are run first, exits with `code`. */
  readonly endJob: (code: number, name?: string) => Promise<void>;
  /** Events as `REASON: note`, oldest first. */
  readonly story: () => Promise<string[]>;
  /** Stops the controller, and resolves when it has ended. */
  readonly stop: () => Promise<void>;
  readonly start: () => void;
}

export interface MemoryBed extends ControllerBed {
  readonly server: MemoryApiServer;
}

export async function startController(options: Partial<ControllerOptions> = {}): Promise<MemoryBed> {
  const server = await startApiServer();
  const bed = startControllerAt({ config: server.config, others: server.others, namespace: 'hpc' }, options);
  return {
    ...bed,
    server,
    [Symbol.asyncDispose]: async () => {
      await bed[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function startControllerAt(
  {
    config,
    namespace,
    others = config,
  }: { readonly config: KubeConfig; readonly others?: KubeConfig; readonly namespace: string },
  options: Partial<ControllerOptions> = {},
): ControllerBed {
  const user = httpApi(others, { manager: 'test' });
  const calls: ApiCall[] = [];
  const api = faultyApi(httpApi(config), {
    clock: systemClock,
    fault: (call) => void calls.push(call) as undefined,
  });
  const warnings: object[] = [];
  const over = new AbortController();
  let simulator: ClusterSimulator | undefined;
  let stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const start = () => {
    stopping = new AbortController();
    const onError = (error: unknown) => warnings.push({ error });
    running = runController({
      record: createEventRecorder({ api, instance: 'test', onError }),
      namespaces: undefined,
      cleanupMs: 0,
      links: { holder: 'test' },
      backoff: { first: 5, most: 50 },
      watchBackoff: { first: 5, most: 50 },
      log: { info: () => undefined, warn: (fields) => warnings.push(fields) },
      renderOptions: renderingOptions({
        installer: 'installer',
        seed,
        user: { uid: 1000, gid: 1000 },
        extras: new Set(['probes', 'network-policy', 'disruption-budget']),
      }),
      ...options,
      api,
      signal: stopping.signal,
    });
  };
  const stop = async () => {
    stopping.abort();
    await running;
  };
  const target = (resource: Resource, name: string) => ({ resource, namespace, name });
  const find = async (resource: Resource, name = 'mc') =>
    (await user.get(target(resource, name))) as Stored | undefined;
  const all = async (resource: Resource) =>
    (await user.list(resource, { namespace }, over.signal)).items as Stored[];
  const simulate = (podIP?: string) => {
    simulator ??= startSimulator({
      api: httpApi(others, { manager: 'simulator' }),
      signal: over.signal,
      namespace,
      ...(podIP !== undefined && { podIP }),
    });
  };
  const runPods = async (name = 'mc') => {
    simulate();
    for (;;) {
      const { completions } = ((await find(resources.jobs, name))?.spec ?? {}) as { completions?: number };
      const pods = (await all(resources.pods)).filter(({ metadata }) =>
        metadata.ownerReferences?.some((owner) => owner.name === name),
      );
      if (activePods(pods as never).filter(isReady).length === completions) return;
      await delay(10);
    }
  };

  start();
  return {
    namespace,
    calls,
    warnings,
    find,
    all,
    start,
    stop,
    simulate,
    runPods,
    owned: async () => (await Promise.all(ownedResources.map(all))).flat(),
    patch: async (resource, name, change, subresource) =>
      void (await user.patch(target(resource, name), change, subresource)),
    scale: async (replicas, name = 'mc') =>
      // The controller itself has no use for it.
      void (await user.patch(
        target(resources.miniClusters, name),
        { spec: { replicas } },
        'scale' as 'status',
      )),
    create: async (object) =>
      (await user.create({ ...object, metadata: { ...object.metadata, namespace } })) as Stored,
    remove: (resource, name = 'mc') => user.delete(target(resource, name)),
    status: async (name = 'mc') =>
      (await find(resources.miniClusters, name))?.status as MiniClusterStatus | undefined,
    endJob: async (code, name = 'mc') => {
      await runPods(name);
      await simulator?.endProgram(namespace, name, code);
    },
    story: async () =>
      (await all(resources.events))
        .map((event) => event as Stored & { reason: string; note: string })
        .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name))
        .map(({ reason, note }) => `${reason}: ${note}`),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await stop();
    },
  };
}

/** Waits until the controller has made no request for a while: it is idle. */
export async function settled({ calls }: Pick<ControllerBed, 'calls'>, quietMs = 100): Promise<void> {
  for (let before = -1; before !== calls.length; ) {
    before = calls.length;
    await delay(quietMs);
  }
}
