import { membershipOf } from '../../agent/broker/membership.ts';
import type { BrokerState } from '../../agent/flux/services/state-machine.ts';
import {
  createBrokerObservation,
  createObservations,
  type Observations,
} from '../../agent/health/observations.ts';
import type { Phase } from '../../agent/pod/phase.ts';
import { configurationOf, type Given } from './configuration.ts';

/** The moment at which tests look at a pod, in milliseconds since 1970. */
export const now = Date.parse('2026-01-01T00:01:00Z');

export interface Seen {
  readonly set?: Given;
  readonly phase?: Phase;
  /** The broker's state; absent where it has said none yet, `none` where there is no broker. */
  readonly state?: BrokerState | 'none';
  readonly change?: (observations: Observations) => void;
}

/** What an agent of four pods would know; the leader's unless `set` has another index. */
export function observed({
  set = {},
  phase = 'broker',
  state,
  change = () => undefined,
}: Seen = {}): Observations {
  const configuration = configurationOf({ size: 4, ...set });
  const observations = createObservations(configuration, [{ phase, since: now - 10_000 }], now - 60_000);
  observations.membership = membershipOf(configuration);
  observations.flux = '/opt/flux/bin/flux';
  if (state !== 'none') {
    const broker = createBrokerObservation(27, now - 10_000);
    broker.connected = state !== undefined;
    broker.confirmed = broker.connected;
    if (state) broker.states.push({ state, since: now - 5000 });
    observations.broker = broker;
    observations.brokersStarted = 1;
  }
  change(observations);
  return observations;
}
