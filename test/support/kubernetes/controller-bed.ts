/** The controller beside an API server in memory, and what the Job controller and the kubelet do in a cluster. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { createEventRecorder } from '../../../controller/kubernetes/events.ts';
import { httpApi } from '../../../controller/kubernetes/http-api.ts';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { pathOf, type Resource, resources } from '../../../controller/kubernetes/resources.ts';
import type { MiniClusterStatus } from '../../../controller/reconcile/minicluster-status.ts';
import { renderingOptions } from '../../../controller/reconcile/rendering-options.ts';
import { clusterLabel, indexLabel } from '../../../controller/render/reserved/names.ts';
import { type ControllerOptions, runController } from '../../../controller/run-controller.ts';
import { type MemoryApiServer, startApiServer } from './api-server.ts';
import type { Stored } from './object-store.ts';

const namespace = 'hpc';
const seed = new Uint8Array(32).fill(7);

export const miniCluster = (spec: object = {}, metadata: object = {}): Stored => ({
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  metadata: { name: 'mc', namespace, ...metadata },
  spec: {
    size: 2,
    containers: [{ image: 'a', command: 'true' }],
    flux: { container: { disable: true } },
    ...spec,
  },
});

export interface ControllerBed extends AsyncDisposable {
  readonly server: MemoryApiServer;
  readonly api: KubernetesApi;
  readonly warnings: object[];
  readonly create: (object: Stored) => Stored;
  readonly find: (resource: Resource, name?: string) => Stored | undefined;
  readonly all: (resource: Resource) => Stored[];
  readonly patch: (resource: Resource, name: string, patch: object, subresource?: string) => void;
  readonly remove: (resource: Resource, name?: string) => void;
  readonly status: (name?: string) => MiniClusterStatus | undefined;
  /** As the kubelet reports the pods of a Job. */
  readonly runPods: (name?: string, ready?: boolean, podIP?: string) => void;
  /** As the Job controller reports the end of a Job whose program exited with `code`. */
  readonly endJob: (code: number, name?: string) => void;
  /** Events as `REASON: note`, oldest first. */
  readonly story: () => string[];
  /** Stops the controller, and resolves when it has ended. */
  readonly stop: () => Promise<void>;
  readonly start: () => void;
}

export async function startController(options: Partial<ControllerOptions> = {}): Promise<ControllerBed> {
  const server = await startApiServer();
  const api = httpApi(server.config);
  const collectionOf = (resource: Resource) => pathOf(resource, {});
  const warnings: object[] = [];
  let stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const start = () => {
    stopping = new AbortController();
    const record = createEventRecorder({
      api,
      instance: 'test',
      onError: (error) => warnings.push({ error }),
    });
    running = runController({
      api,
      record,
      namespaces: undefined,
      signal: stopping.signal,
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
    });
  };
  const stop = async () => {
    stopping.abort();
    await running;
  };
  const find = (resource: Resource, name = 'mc') =>
    server.store
      .list(collectionOf(resource), namespace, undefined)
      .find(({ metadata }) => metadata.name === name);
  const patch = (resource: Resource, name: string, change: object, subresource?: string) =>
    void server.store.patch(collectionOf(resource), namespace, name, change as Stored, subresource);
  const all = (resource: Resource) => server.store.list(collectionOf(resource), namespace, undefined);

  const containerOf = (name: string) =>
    (find(resources.jobs, name) as Job | undefined)?.spec?.template.spec?.containers[0]?.name;

  const putPod = (name: string, index: number, status: object) => {
    const podName = `${name}-${index}-aaaaa`;
    if (!all(resources.pods).some(({ metadata }) => metadata.name === podName)) {
      const labels = { [clusterLabel]: name, [indexLabel]: String(index) };
      server.store.create(collectionOf(resources.pods), {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: podName,
          namespace,
          labels,
          ownerReferences: [ownerOf(find(resources.jobs, name))],
        },
      });
    }
    patch(resources.pods, podName, { status }, 'status');
  };

  start();
  return {
    server,
    api,
    warnings,
    find,
    all,
    patch,
    start,
    stop,
    create: (object) => server.store.create(pathOf(resourceOfKind(object.kind), {}), object),
    remove: (resource, name = 'mc') => void server.store.delete(collectionOf(resource), namespace, name, {}),
    status: (name = 'mc') => find(resources.miniClusters, name)?.status as MiniClusterStatus | undefined,
    runPods: (name = 'mc', ready = true, podIP) => {
      const { completions = 0 } = (find(resources.jobs, name)?.spec ?? {}) as { completions?: number };
      for (let index = 0; index < completions; index++)
        putPod(name, index, {
          phase: 'Running',
          ...(podIP !== undefined && { podIP }),
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
          containerStatuses: [{ name: containerOf(name), state: { running: {} } }],
        });
    },
    endJob: (code, name = 'mc') => {
      const terminated = {
        exitCode: code,
        message: `The program has ended with ${code}`,
        finishedAt: '2026-11-26T10:00:00Z',
      };
      const phase = code === 0 ? 'Succeeded' : 'Failed';
      putPod(name, 0, {
        phase,
        conditions: [],
        containerStatuses: [{ name: containerOf(name), state: { terminated } }],
      });
      const condition = code === 0 ? { type: 'Complete' } : { type: 'Failed', reason: 'PodFailurePolicy' };
      const time = '2026-11-26T10:00:01Z';
      const conditions = [{ ...condition, status: 'True', lastTransitionTime: time }];
      patch(
        resources.jobs,
        name,
        { status: { conditions, ...(code === 0 && { completionTime: time }) } },
        'status',
      );
    },
    story: () =>
      server.store
        .list(collectionOf(resources.events), '', undefined)
        .map(
          (event) =>
            event as unknown as { reason: string; note: string; eventTime: string } & KubernetesObject,
        )
        .sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))
        .map(({ reason, note }) => `${reason}: ${note}`),
    [Symbol.asyncDispose]: async () => {
      await stop();
      await server[Symbol.asyncDispose]();
    },
  };
}

const ownerOf = (job: Stored | undefined) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  name: job?.metadata.name ?? '',
  uid: job?.metadata.uid ?? '',
  controller: true,
});

const resourceOfKind = (kind: string): Resource => {
  const found = Object.values(resources).find((resource) => resource.kind === kind);
  if (!found) throw new Error(kind);
  return found;
};

/** Waits until the API server has got no request for a while: the controller is idle. */
export async function settled({ server }: ControllerBed, quietMs = 100): Promise<void> {
  for (let before = -1; before !== server.requests.length; ) {
    before = server.requests.length;
    await delay(quietMs);
  }
}
