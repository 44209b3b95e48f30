/** The demand of the queue, for all parts of the leader that show it or act by it: watched once for all of them. */
import type { Demand } from '../../demand/demand.ts';
import type { WatchQueueOptions } from '../../demand/watch-queue.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';

export interface FollowedDemand {
  /** Undefined while it is not known. */
  readonly last: () => Demand | undefined;
  /** Calls with the present demand, and with each other one until the signal aborts. */
  readonly listen: (listener: (demand: Demand | undefined) => void, signal: AbortSignal) => void;
  readonly close: () => void;
}

/** A new pod has usually joined within this time; it depends on the cluster, and nothing breaks where it is wrong. */
const podSeconds = 60;

export interface FollowDemandOptions extends Pick<WatchQueueOptions, 'connect' | 'log'> {
  /** Hosts of the instance. */
  readonly size: number;
  readonly podState: Pick<PodStateWriter, 'set'>;
  /** Loaded when it is used. */
  readonly watch: (options: WatchQueueOptions) => void;
}

export function followDemand({ size, podState, watch, ...options }: FollowDemandOptions): FollowedDemand {
  const life = new AbortController();
  const listeners = new Set<(demand: Demand | undefined) => void>();
  let last: Demand | undefined;
  watch({
    ...options,
    limits: { maxSize: size, podSeconds },
    signal: life.signal,
    onDemand: (demand) => {
      last = demand;
      podState.set({ demand });
      for (const listener of listeners) listener(demand);
    },
  });
  return {
    last: () => last,
    listen: (listener, signal) => {
      if (signal.aborted) return;
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
      listener(last);
    },
    close: () => life.abort(),
  };
}
