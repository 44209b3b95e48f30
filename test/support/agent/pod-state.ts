import { membershipOf } from '../../../agent/broker/membership.ts';
import type { BrokerState } from '../../../agent/flux/services/state-machine.ts';
import { createBrokerStatus, type WrittenBrokerStatus } from '../../../agent/health/broker-status.ts';
import { createPodState, type PodState } from '../../../agent/health/pod-state.ts';
import type { Phase } from '../../../agent/pod/phase.ts';
import { configurationOf, type Given } from './configuration.ts';

/** The moment at which tests look at a pod, in milliseconds since 1970. */
export const now = Date.parse('2026-01-01T00:01:00Z');

/** A state that a test may change. */
export type ChangedState = {
  -readonly [Part in keyof PodState]: Part extends 'broker'
    ? WrittenBrokerStatus | undefined
    : PodState[Part];
};

export interface Seen {
  readonly set?: Given;
  readonly phase?: Phase;
  /** The broker's state; undefined where it has reported none yet, `none` where there is no broker. */
  readonly state?: BrokerState | 'none';
  readonly change?: (state: ChangedState) => void;
}

/** The state of a pod of four; the leader's unless `set` has another index. */
export function podStateOf({
  set = {},
  phase = 'broker',
  state,
  change = () => undefined,
}: Seen = {}): ChangedState {
  const configuration = configurationOf({ size: 4, ...set });
  const phases = [{ phase, since: now - 10_000 }];
  const { state: created, writer } = createPodState(configuration, phases, now - 60_000);
  writer.set({ membership: membershipOf(configuration), flux: '/opt/flux/bin/flux' });
  if (state !== 'none') {
    const broker = createBrokerStatus(27, now - 10_000);
    broker.connected = state !== undefined;
    broker.confirmed = broker.connected;
    if (state) broker.states.push({ state, since: now - 5000 });
    writer.set({ broker, brokersStarted: 1 });
  }
  const changed = created as ChangedState;
  change(changed);
  return changed;
}
