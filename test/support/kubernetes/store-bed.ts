/** A bed whose objects a test reads and writes at once, in the store of the API server in memory, and whose pods are as it says. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { pathOf, type Resource, resourceOf, resources } from '../../../controller/kubernetes/resources.ts';
import type { MiniClusterStatus } from '../../../controller/reconcile/minicluster-status.ts';
import { clusterLabel, indexLabel } from '../../../controller/render/reserved/names.ts';
import type { ControllerOptions } from '../../../controller/run-controller.ts';
import { startController } from './controller-bed.ts';
import type { Stored } from './object-store.ts';

const namespace = 'hpc';
const collectionOf = (resource: Resource) => pathOf(resource, {});

export type StoreBed = Awaited<ReturnType<typeof startStoreBed>>;

export async function startStoreBed(options: Partial<ControllerOptions> = {}) {
  const bed = await startController(options);
  const { store } = bed.server;
  const find = (resource: Resource, name = 'mc') => store.find(collectionOf(resource), namespace, name);
  const patch = (resource: Resource, name: string, change: object, subresource?: string) =>
    void store.patch(collectionOf(resource), namespace, name, change as Stored, subresource);
  const jobOf = (name: string) => find(resources.jobs, name) as (Stored & Job) | undefined;

  const putPod = (name: string, index: number, status: object) => {
    const podName = `${name}-${index}-aaaaa`;
    const uid = jobOf(name)?.metadata.uid ?? '';
    if (!find(resources.pods, podName))
      store.create(collectionOf(resources.pods), {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: podName,
          namespace,
          labels: { [clusterLabel]: name, [indexLabel]: String(index) },
          ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }],
        },
      });
    const container = jobOf(name)?.spec?.template.spec?.containers[0]?.name;
    patch(resources.pods, podName, { status: { ...status, ...containers(container, status) } }, 'status');
  };
  const containers = (name: string | undefined, { state }: { state?: object }) => ({
    containerStatuses: [{ name, state }],
  });

  return {
    ...bed,
    find,
    patch,
    create: (object: Stored) => store.create(collectionOf(resourceOf(object)), object),
    remove: (resource: Resource, name = 'mc') =>
      void store.delete(collectionOf(resource), namespace, name, {}),
    status: (name = 'mc') => find(resources.miniClusters, name)?.status as MiniClusterStatus | undefined,
    /** As the kubelet reports the pods of a Job. */
    runPods: (name = 'mc', ready = true, podIP?: string) => {
      for (let index = 0; index < (jobOf(name)?.spec?.completions ?? 0); index++)
        putPod(name, index, {
          phase: 'Running',
          ...(podIP !== undefined && { podIP }),
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
          state: { running: {} },
        });
    },
    /** As the Job controller reports the end of a Job whose program exited with `code`. */
    endJob: (code: number, name = 'mc') => {
      const message = `The program has ended with ${code}`;
      const time = '2026-11-26T10:00:01Z';
      putPod(name, 0, {
        phase: code === 0 ? 'Succeeded' : 'Failed',
        conditions: [],
        state: { terminated: { exitCode: code, message, finishedAt: time } },
      });
      const condition = code === 0 ? { type: 'Complete' } : { type: 'Failed', reason: 'PodFailurePolicy' };
      const conditions = [{ ...condition, status: 'True', lastTransitionTime: time }];
      patch(resources.jobs, name, { status: { conditions } }, 'status');
    },
  };
}
