/**
 * The owner of the agent's connection to its broker: one connection at a time, for one broker process after the other. What the lifecycle
 * has to know of the broker it asks here. The code that reads the broker's streams is loaded only once the broker is on its way.
 */
import { setMaxListeners } from 'node:events';
import { instant } from '../../clock.ts';
import type { FluxClient } from '../../flux/client.ts';
import type { BrokerState } from '../../flux/services/state-machine.ts';
import {
  createBrokerStatus,
  parentSilentSince,
  stateOf,
  type WrittenBrokerStatus,
} from '../../health/broker-status.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';
import type { BrokerWatch, WatchOptions } from './watch-broker.ts';

/** A broker process, of this agent or, with `flux-pod attach`, of another program. */
export interface WatchedBroker extends Pick<WatchOptions, 'connect' | 'onState' | 'state'> {
  /** As numbered where it runs. */
  readonly pid: number;
  /** Milliseconds since 1970; now, unless given. */
  readonly startedAt?: number | undefined;
  readonly leads: boolean;
  readonly ended: Promise<unknown>;
}

export interface BrokerConnection {
  /** Connects to a broker, again and again until it exits. Resolves to the last state that it was in before. */
  readonly keep: (broker: WatchedBroker) => Promise<BrokerState | undefined>;
  /** While it is open. */
  readonly client: () => FluxClient | undefined;
  /** Whether the broker is the leader's. */
  readonly leads: () => boolean;
  /** Asks the broker for its state; see BrokerWatch. */
  readonly pulse: BrokerWatch['pulse'];
  /** Of the present broker, or of the last one. */
  readonly state: () => BrokerState | undefined;
  /** Ranks that are online, on the leader. */
  readonly online: () => readonly number[] | undefined;
  /** Children whose brokers have joined the present broker, or the last one. */
  readonly joined: () => Iterable<number>;
  /** Whether heartbeats from the parent are overdue. */
  readonly parentIsSilent: () => boolean;
}

export function createBrokerConnection(podState: PodStateWriter, log: Log): BrokerConnection {
  let brokersStarted = 0;
  let status: WrittenBrokerStatus | undefined;
  let watch: BrokerWatch | undefined;
  let isLeaders = false;
  return {
    keep: async ({ pid, startedAt, ended, ...how }) => {
      const broker = createBrokerStatus(pid, startedAt);
      status = broker;
      isLeaders = how.leads;
      podState.set({ broker, brokersStarted: ++brokersStarted });
      const life = new AbortController();
      setMaxListeners(0, life.signal);
      void ended.then(() => life.abort());
      try {
        const { noteExit, watchBroker } = await import('./watch-broker.ts');
        watch = watchBroker(broker, { ...how, signal: life.signal, log });
        await Promise.all([ended, watch.ended]);
        noteExit(broker, instant());
      } catch (error) {
        log('error', 'The broker is no longer watched', { why: String(error) });
      }
      return broker.states.findLast(({ state }) => state !== 'exit')?.state;
    },
    client: () => watch?.client(),
    leads: () => isLeaders,
    pulse: async (heardWithinMs) => watch?.pulse(heardWithinMs),
    state: () => stateOf(status),
    online: () => status?.online,
    joined: () => status?.joined ?? [],
    parentIsSilent: () => parentSilentSince(status, instant()) !== undefined,
  };
}
