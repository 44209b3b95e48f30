/**
 * What the rest of a cluster does with the controller's objects: the Job controller makes and ends pods, the kubelet runs them, and the
 * garbage collector deletes what has lost its owner.
 */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { type Clock, pause, systemClock } from '../../../controller/kubernetes/controller-clock.ts';
import { startInformer } from '../../../controller/kubernetes/informer.ts';
import { controllerOf, type KubernetesObject } from '../../../controller/kubernetes/object.ts';
import {
  ownedResources,
  type Resource,
  resourceOf,
  resources,
} from '../../../controller/kubernetes/resources.ts';
import { createWorkQueue } from '../../../controller/kubernetes/work-queue.ts';
import { activePods, indexOf, isReady, jobEnd } from '../../../controller/reconcile/job-state.ts';
import { indexLabel, jobNameLabel } from '../../../controller/render/reserved/names.ts';

export interface SimulatorOptions {
  readonly api: KubernetesApi;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Undefined: all. */
  readonly namespace?: string;
  /** From a pod to its containers, and from those to their readiness. Milliseconds. */
  readonly startMs?: number;
  /** Of each pod that runs; none unless given. */
  readonly podIP?: string;
}

export interface ClusterSimulator {
  /** The program of a MiniCluster exits with `code`. */
  readonly endProgram: (namespace: string, name: string, code: number) => Promise<void>;
}

type LiveJob = KubernetesObject & Job;
type LivePod = KubernetesObject & Pod;
const backoff = { first: 5, most: 50 };

export function startSimulator(options: SimulatorOptions): ClusterSimulator {
  const { api, signal, clock = systemClock, startMs = 5, namespace: only, podIP } = options;
  const time = () => new Date(clock.now()).toISOString().replace(/\.\d+Z/, 'Z');
  /** Pods whose deletion the copy does not show yet. */
  const deleted = new Set<string>();
  const started = new Set<string>();
  let number = 0;

  const queue = createWorkQueue({
    workers: 1000,
    backoff,
    clock,
    work: async (key) => {
      const [plural, namespace = '', name = ''] = key.split('/');
      if (plural === 'jobs') await syncJob(namespace, name);
      else if (plural === 'pods') await startPod(namespace, name);
      else await collectGarbage(plural as string, namespace, name);
    },
    onFailure: () => undefined,
  });
  signal.addEventListener('abort', () => void queue.close(), { once: true });

  const copyOf = (resource: Resource) =>
    startInformer({
      api,
      resource,
      scope: { ...(only !== undefined && { namespace: only }) },
      clock,
      backoff,
      signal,
      onError: () => undefined,
      onChange: (object) => changed(resource, object),
    });
  const kinds = [resources.miniClusters, resources.pods, ...ownedResources];
  const copies = new Map(kinds.map((resource) => [resource, copyOf(resource)] as const));
  const copy = (resource: Resource, namespace: string, name: string) =>
    copies.get(resource)?.get(namespace, name);
  const podsByJob = new Map<string, Set<string>>();

  function changed(resource: Resource, object: KubernetesObject): void {
    const { namespace = '', name, uid = '' } = object.metadata;
    const isDeleted = copy(resource, namespace, name)?.metadata.uid !== uid;
    if (isDeleted) queue.add(`${uid}/${namespace}/${name}`);
    else if (isOrphaned(object))
      queue.add(`${controllerOf(object)?.uid}/${namespace}/${controllerOf(object)?.name}`);
    if (resource === resources.jobs) queue.add(`jobs/${namespace}/${name}`);
    if (resource === resources.pods) {
      const job = controllerOf(object)?.name ?? '';
      const pods = podsByJob.get(`${namespace}/${job}`) ?? new Set();
      podsByJob.set(`${namespace}/${job}`, pods.add(name));
      if (isDeleted) pods.delete(name);
      queue.add(`jobs/${namespace}/${job}`);
      queue.add(`pods/${namespace}/${name}`);
    }
  }

  const isOrphaned = (object: KubernetesObject): boolean => {
    const owner = controllerOf(object);
    if (owner?.kind !== 'MiniCluster') return false;
    return (
      copy(resources.miniClusters, object.metadata.namespace ?? '', owner.name)?.metadata.uid !== owner.uid
    );
  };

  /** The dependents of the owner with `uid`, which by then really is away. */
  async function collectGarbage(uid: string, namespace: string, name: string): Promise<void> {
    await pause(clock, startMs);
    const live = await api.get({ resource: resources.miniClusters, namespace, name });
    if (live?.metadata.uid === uid) return;
    for (const { all } of copies.values())
      for (const object of all())
        if (object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) {
          const { namespace: where = '', name: dependent } = object.metadata;
          await api.delete(
            { resource: resourceOf(object), namespace: where, name: dependent },
            object.metadata.uid,
          );
        }
  }

  const podsOf = (job: LiveJob): LivePod[] =>
    [...(podsByJob.get(`${job.metadata.namespace}/${job.metadata.name}`) ?? [])]
      .map((name) => copy(resources.pods, job.metadata.namespace ?? '', name) as LivePod | undefined)
      .filter((pod) => pod !== undefined)
      .filter((pod) => controllerOf(pod)?.uid === job.metadata.uid && !deleted.has(pod.metadata.uid ?? ''));

  /** kubernetes pkg/controller/job/job_controller.go, syncJob. */
  async function syncJob(namespace: string, name: string): Promise<void> {
    const job = copy(resources.jobs, namespace, name) as LiveJob | undefined;
    if (!job || jobEnd(job) || job.metadata.deletionTimestamp !== undefined) return;
    const { suspend = false, completions = 0 } = job.spec ?? {};
    const wanted = suspend ? 0 : completions;
    const pods = podsOf(job);
    for (const pod of pods)
      if ((indexOf(pod) ?? 0) >= wanted) {
        deleted.add(pod.metadata.uid ?? '');
        await api.delete({ resource: resources.pods, namespace, name: pod.metadata.name }, pod.metadata.uid);
      }
    for (let index = 0; index < wanted; index++)
      if (!pods.some((pod) => indexOf(pod) === index)) {
        const created = await api.create(podOf(job, index, number++));
        copies.get(resources.pods)?.wrote(created);
        changed(resources.pods, created);
      }
    await writeJobStatus(job, podsOf(job));
  }

  async function writeJobStatus(job: LiveJob, pods: readonly LivePod[]): Promise<void> {
    const { namespace = '', name } = job.metadata;
    const before = job.status ?? {};
    const status = jobStatus(job, pods, time());
    const isSame = Object.entries(status).every(
      ([field, value]) =>
        JSON.stringify(value ?? undefined) === JSON.stringify(before[field as keyof typeof before]),
    );
    if (isSame) return;
    copies
      .get(resources.jobs)
      ?.wrote(await api.patch({ resource: resources.jobs, namespace, name }, { status }, 'status'));
  }

  /** The kubelet. */
  async function startPod(namespace: string, name: string): Promise<void> {
    const pod = copy(resources.pods, namespace, name) as LivePod | undefined;
    const uid = pod?.metadata.uid ?? '';
    if (!pod || started.has(uid)) return;
    started.add(uid);
    const container = { name: containerOf(pod), image: 'a', imageID: '', ready: true, restartCount: 0 };
    for (const ready of ['False', 'True']) {
      await pause(clock, startMs, signal);
      if (copy(resources.pods, namespace, name)?.metadata.uid !== uid || deleted.has(uid) || signal.aborted)
        return;
      if (activePods([copy(resources.pods, namespace, name) as LivePod]).length === 0) return;
      await writePod(namespace, name, {
        phase: 'Running',
        ...(podIP !== undefined && { podIP }),
        conditions: [{ type: 'Ready', status: ready }],
        containerStatuses: [{ ...container, state: { running: { startedAt: time() } } }],
      });
    }
  }

  const writePod = async (namespace: string, name: string, status: object) =>
    void (await api.patch({ resource: resources.pods, namespace, name }, { status }, 'status'));

  async function endProgram(namespace: string, name: string, code: number): Promise<void> {
    const job = copy(resources.jobs, namespace, name) as LiveJob;
    for (const pod of podsOf(job)) {
      const terminated = {
        exitCode: code,
        message: `The program has ended with ${code}`,
        finishedAt: time(),
      };
      await writePod(namespace, pod.metadata.name, {
        phase: code === 0 ? 'Succeeded' : 'Failed',
        conditions: [{ type: 'Ready', status: 'False' }],
        containerStatuses: [
          {
            name: containerOf(pod),
            image: 'a',
            imageID: '',
            ready: false,
            restartCount: 0,
            state: { terminated },
          },
        ],
      });
    }
  }

  return { endProgram };
}

const containerOf = ({ spec }: LivePod): string => spec?.containers[0]?.name ?? '';

function podOf(job: LiveJob, index: number, number: number): LivePod {
  const { metadata, spec } = job.spec?.template ?? {};
  const { name, namespace = '', uid = '' } = job.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${index}-${number.toString(36)}`,
      namespace,
      labels: { ...metadata?.labels, [indexLabel]: String(index), [jobNameLabel]: name },
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    ...(spec && { spec }),
  };
}

/** As the API server admits it (kubernetes pkg/registry/batch/job/strategy.go, getStatusValidationOptions). */
function jobStatus(job: LiveJob, pods: readonly LivePod[], now: string): NonNullable<Job['status']> {
  const { suspend = false, completions = 0 } = job.spec ?? {};
  const before = job.status ?? {};
  const condition = (type: string, reason: string, status = 'True') => ({
    ...{ type, status, reason, message: '', lastTransitionTime: now, lastProbeTime: now },
  });
  const kept = before.conditions?.find(({ type }) => type === 'Suspended');
  if (suspend) {
    const conditions = [kept?.status === 'True' ? kept : condition('Suspended', 'JobSuspended')];
    return { active: 0, ready: 0, conditions, startTime: null } as never;
  }
  const active = activePods(pods);
  const resumed = kept?.status === 'True' ? condition('Suspended', 'JobResumed', 'False') : kept;
  const conditions = resumed ? [resumed] : [];
  const startTime = before.startTime ?? now;
  if (completions === 0 || pods.length < completions || active.length > 0)
    return {
      active: active.length,
      ready: active.filter(isReady).length,
      startTime,
      ...(conditions.length > 0 && { conditions }),
    };
  const succeeded = pods.every(({ status }) => status?.phase === 'Succeeded');
  return {
    active: 0,
    ready: 0,
    startTime,
    ...(succeeded
      ? {
          completionTime: now,
          succeeded: pods.length,
          completedIndexes: pods.length === 1 ? '0' : `0-${pods.length - 1}`,
        }
      : { failed: pods.length }),
    conditions: [
      ...conditions,
      ...(succeeded
        ? [condition('SuccessCriteriaMet', 'CompletionsReached'), condition('Complete', 'CompletionsReached')]
        : [condition('FailureTarget', 'PodFailurePolicy'), condition('Failed', 'PodFailurePolicy')]),
    ],
  };
}
