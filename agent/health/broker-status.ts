/** What is known of one broker process. The connection to the broker writes it (lifecycle/broker/connection.ts); probes, status and metrics read it. */

import { type Instant, instant } from '../clock.ts';
import type { OverlayHealth } from '../flux/services/overlay.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';

/** A broker process, from its start to its exit. */
export interface BrokerStatus {
  readonly pid: number;
  readonly startedAt: Instant;
  /** Whether its local socket has ever accepted the agent's connection. */
  readonly connected: boolean;
  /** Every state that it has been in, the present one last; empty until the first is known. */
  readonly states: readonly { readonly state: BrokerState; readonly since: Instant }[];
  /** Whether the last state came over the present connection: it may have changed since an earlier one broke. */
  readonly confirmed: boolean;
  /** When the request was sent that is not answered yet; undefined while none is overdue. */
  readonly silentSince: Instant | undefined;
  /** The subtree below it. */
  readonly overlay: OverlayHealth | undefined;
  /** Children whose brokers have joined it, also where they have left since. */
  readonly joined: ReadonlySet<number>;
  /** When rank 0's heartbeat last came through the parent, and its period in milliseconds. */
  readonly heartbeat: { readonly at: Instant; readonly periodMs: number } | undefined;
  /** Ranks that are online, on the leader. */
  readonly online: readonly number[] | undefined;
}

/** The same for the one that writes it. */
export type WrittenBrokerStatus = {
  -readonly [Field in keyof BrokerStatus]: BrokerStatus[Field] extends readonly (infer Item)[]
    ? Item[]
    : BrokerStatus[Field] extends ReadonlySet<infer Item>
      ? Set<Item>
      : BrokerStatus[Field];
};

export const createBrokerStatus = (pid: number, startedAt: Instant = instant()): WrittenBrokerStatus => ({
  pid,
  startedAt,
  connected: false,
  states: [],
  confirmed: false,
  silentSince: undefined,
  overlay: undefined,
  joined: new Set(),
  heartbeat: undefined,
  online: undefined,
});

export const stateOf = (broker: BrokerStatus | undefined): BrokerState | undefined =>
  broker?.states.at(-1)?.state;

/** Whether the broker runs and no answer of it is overdue. */
export const answers = (broker: BrokerStatus): boolean =>
  broker.silentSince === undefined && stateOf(broker) !== 'exit';

/** Heartbeats that a broker may miss before its parent counts as lost; Flux itself warns at three. */
const heartbeatsMissed = 3;

/** Since when no heartbeat has come through the parent; undefined while they come, and on the leader, which has no parent. */
export function parentSilentSince(broker: BrokerStatus | undefined, now: Instant): Instant | undefined {
  if (!broker?.heartbeat) return undefined;
  const { at, periodMs } = broker.heartbeat;
  return now - at > heartbeatsMissed * periodMs ? at : undefined;
}
