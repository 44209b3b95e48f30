/** The requests of the controller, carried out on an object store without HTTP, on a clock of the test's own. */
import {
  ApiError,
  fieldManager,
  hasStatus,
  type KubernetesApi,
  type WatchEvent,
} from '../../../controller/kubernetes/api.ts';
import { type Clock, pause } from '../../../controller/kubernetes/controller-clock.ts';
import { pathOf, type Resource, resourceOf } from '../../../controller/kubernetes/resources.ts';
import { type ObjectStore, Refused, type Stored } from './object-store.ts';
import { shownBy } from './watch-filter.ts';

export interface MemoryApiOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Until a request is carried out. Milliseconds. */
  readonly latencyMs?: number;
  /** Until a watch shows a change: longer than `latencyMs`, so that copies are behind the controller's own writes. */
  readonly watchMs?: number;
}

export interface MemoryApi extends KubernetesApi {
  /** Ends all watches: in order, or by `error`. */
  readonly endWatches: (error?: ApiError) => void;
  /** Sends a bookmark on all watches. */
  readonly bookmark: () => void;
}

const collectionOf = (resource: Resource) => pathOf(resource, {});

export function memoryApi({ store, clock, latencyMs = 1, watchMs = 3 }: MemoryApiOptions): MemoryApi {
  const watches = new Set<{ end: (error?: ApiError) => void; send: (event: WatchEvent) => void }>();

  async function carryOut<T>(act: () => T): Promise<T> {
    await pause(clock, latencyMs);
    try {
      return act();
    } catch (error) {
      if (error instanceof Refused) throw new ApiError(error.code, error.reason, error.message);
      throw error;
    }
  }

  return {
    endWatches: (error) => {
      for (const { end } of watches) end(error);
    },
    bookmark: () => {
      for (const { send } of watches) send({ type: 'BOOKMARK', resourceVersion: String(store.version()) });
    },
    list: (resource, { namespace = '', labelSelector, name }) =>
      carryOut(() => ({
        items: store
          .list(collectionOf(resource), namespace, labelSelector)
          .filter(({ metadata }) => name === undefined || metadata.name === name),
        resourceVersion: String(store.version()),
      })),
    watch: async (resource, { namespace = '', labelSelector, name, resourceVersion }, onEvent, signal) => {
      const watched = { collection: collectionOf(resource), namespace, labelSelector, name };
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      let ended = false;
      const send = (event: WatchEvent) =>
        clock.after(watchMs, () => {
          if (!ended) onEvent(event);
        });
      const end = (error?: ApiError) => {
        ended = true;
        if (error) reject(error);
        else resolve();
      };
      const stop = await carryOut(() =>
        store.watch(Number(resourceVersion), (event) => {
          const shown = shownBy(watched, event);
          if (shown) send(shown);
        }),
      );
      const watch = { end, send };
      watches.add(watch);
      const aborted = () => end();
      if (signal.aborted) end();
      signal.addEventListener('abort', aborted, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', aborted);
        watches.delete(watch);
        stop();
      }
    },
    get: ({ resource, namespace, name }) =>
      carryOut(() => store.get(collectionOf(resource), namespace, name)).catch((error: unknown) => {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      }),
    create: (object) => carryOut(() => store.create(collectionOf(resourceOf(object)), object as Stored)),
    apply: (object) =>
      carryOut(() =>
        store.apply(collectionOf(resourceOf(object)), object as Stored, fieldManager, undefined),
      ),
    patch: ({ resource, namespace, name }, patch, subresource) =>
      carryOut(() =>
        store.patch(collectionOf(resource), namespace, name, patch as Stored, subresource, fieldManager),
      ),
    delete: ({ resource, namespace, name }, uid) =>
      carryOut(() =>
        store.delete(collectionOf(resource), namespace, name, uid === undefined ? {} : { uid }),
      ).then(
        () => undefined,
        (error: unknown) => {
          if (!hasStatus(error, 404, 409)) throw error;
        },
      ),
  };
}
