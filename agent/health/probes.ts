/** The results of the probes, startup, liveness and readiness, from the state of the pod. Each has a reason. Pure. */

import { type Instant, instant } from '../clock.ts';
import { formatIdset } from '../cluster/idset.ts';
import { type BrokerState, isAfter } from '../flux/services/state-machine.ts';
import { type BrokerStatus, parentSilentSince, stateOf } from './broker-status.ts';
import { type Attachment, type PodState, phaseOf } from './pod-state.ts';
import { quorumWait } from './quorum.ts';

export const probes = ['startup', 'live', 'ready'] as const;
export type Probe = (typeof probes)[number];

export interface ProbeResult {
  readonly ok: boolean;
  /** The reason, a sentence for a person. */
  readonly why: string;
}

const success = (why: string): ProbeResult => ({ ok: true, why });
const failure = (why: string): ProbeResult => ({ ok: false, why });

/** A broker whose answer is overdue for longer hangs: the kubelet is to restart the pod. A busy broker may take seconds. */
const hungAfterMs = 10_000;

export function probeResult(probe: Probe, state: PodState, now: Instant = instant()): ProbeResult {
  if (state.held) {
    const held = 'the pod has failed and is held for a person: `flux-pod release` ends it';
    return probe === 'ready' ? failure(held) : success(held);
  }
  if (state.attachment && phaseOf(state).phase !== 'broker') return withoutBroker(state.attachment, state);
  switch (probe) {
    case 'startup':
      return startup(state);
    case 'live':
      return liveness(state, now);
    case 'ready':
      return readiness(state, now);
  }
}

/**
 * With `flux-pod attach` the probes stand for the broker, in whichever container they are: without it none succeeds. Whether it has exited
 * on purpose, and will start again, does not show.
 */
function withoutBroker({ waitReason }: Attachment, { broker, stoppedBy }: PodState): ProbeResult {
  if (stoppedBy) return failure(`the agent is stopping: ${stoppedBy}`);
  return failure(`${broker ? 'the broker has exited' : 'there is no broker yet'}: ${waitReason}`);
}

/** Started: all that this pod itself can have wrong is right. A parent that is not there yet is not this pod's fault. */
function startup(state: PodState): ProbeResult {
  const { phase } = phaseOf(state);
  if (phase === 'configure' || phase === 'prepare') return failure(`the pod is in phase ${phase}`);
  if (phase === 'broker' && !state.broker?.connected)
    return failure('the broker does not take connections yet');
  return success(`the pod is in phase ${phase}`);
}

/**
 * Live: the agent answers, and its broker answers or is not to run yet. Other pods never count: a leader that fails must not have the
 * kubelet restart its followers.
 */
function liveness({ broker, phases }: PodState, now: Instant): ProbeResult {
  const { phase } = phaseOf({ phases });
  if (phase !== 'broker' || !broker) return success(`the agent is in phase ${phase}`);
  if (broker.silentSince === undefined)
    return success(`the broker answers: ${stateOf(broker) ?? 'it is starting'}`);
  const silentMs = now - broker.silentSince;
  if (silentMs < hungAfterMs) return success(`the broker has owed an answer for ${seconds(silentMs)}`);
  return failure(`the broker hangs: it has not answered for ${seconds(silentMs)}`);
}

function readiness(state: PodState, now: Instant): ProbeResult {
  const { broker, stoppedBy, configuration, membership, waitReason, apiFault } = state;
  const { phase } = phaseOf(state);
  if (stoppedBy) return failure(`the pod is stopping: ${stoppedBy}`);
  if (phase === 'await-parent')
    return failure(
      waitReason
        ? `waiting for the parent's ${waitReason.waitingFor}: ${waitReason.seen}`
        : 'looking for the parent',
    );
  if (phase !== 'broker' || !broker) return failure(`the pod is in phase ${phase}`);
  if (apiFault !== undefined) return failure(`the API refuses every client: ${apiFault}`);
  if (configuration.ready === 'up') return success('the agent supervises a broker');
  if (broker.silentSince !== undefined)
    return failure(`the broker has not answered for ${seconds(now - broker.silentSince)}`);
  const brokerState = stateOf(broker);
  if (!brokerState) return failure('the broker has not reported its state yet');
  if (!broker.confirmed) return failure(`the broker does not confirm its state, which was ${brokerState}`);
  const leads = membership?.rank === 0;
  const silent = parentSilentSince(broker, now);
  if (silent !== undefined) return failure(`the parent is lost: no heartbeat for ${seconds(now - silent)}`);
  if (leads && configuration.ready === 'run') {
    if (brokerState === 'run') return success(`the instance runs${subtrees(broker)}`);
    if (brokerState !== 'quorum') return failure(`the broker is in state ${brokerState}`);
    return failure(quorumWait(configuration, membership, broker.online));
  }
  return hasJoined(brokerState)
    ? success(`the broker is in state ${brokerState}${subtrees(broker)}`)
    : failure(`the broker is in state ${brokerState}`);
}

/** A pod below that is lost fails its own probes: this pod is ready all the same, and reports it. */
function subtrees({ overlay }: BrokerStatus): string {
  const away = overlay?.children.filter(({ status }) => status !== 'full') ?? [];
  if (away.length === 0) return '';
  const byStatus = Map.groupBy(away, ({ status }) => status);
  const clauses = [...byStatus].map(([status, children]) => {
    const ranks = formatIdset(children.map(({ rank }) => rank));
    return children.length === 1 ? `rank ${ranks} is ${status}` : `ranks ${ranks} are ${status}`;
  });
  return `; below it ${clauses.join(', ')}`;
}

/** Past `join`, and not on its way out. */
const hasJoined = (state: BrokerState): boolean => isAfter(state, 'join') && !isAfter(state, 'run');

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
