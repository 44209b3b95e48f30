/** What the probes answer: pure judgements of what is known. Each says why. */

import { formatIdset } from '../cluster/idset.ts';
import { type BrokerState, isAfter } from '../flux/services/state-machine.ts';
import { instant } from '../instant.ts';
import {
  type Attachment,
  type BrokerObservation,
  type Observations,
  parentSilentSince,
  phaseOf,
  stateOf,
} from './observations.ts';
import { quorumWait } from './quorum.ts';

export const probes = ['startup', 'live', 'ready'] as const;
export type Probe = (typeof probes)[number];

export interface Verdict {
  readonly ok: boolean;
  /** One sentence for a person. */
  readonly why: string;
}

const yes = (why: string): Verdict => ({ ok: true, why });
const no = (why: string): Verdict => ({ ok: false, why });

/** A broker that owes an answer for longer is hung: the pod is to be restarted. A busy one may take seconds. */
export const hungAfterMs = 10_000;

export function judge(probe: Probe, observations: Observations, now: number = instant()): Verdict {
  if (observations.held) {
    const held = 'the pod has failed and is held for a person: `flux-pod release` ends it';
    return probe === 'ready' ? no(held) : yes(held);
  }
  if (observations.attachment && phaseOf(observations).phase !== 'broker')
    return judgeAbsent(observations.attachment, observations);
  switch (probe) {
    case 'startup':
      return judgeStartup(observations);
    case 'live':
      return judgeLive(observations, now);
    case 'ready':
      return judgeReady(observations, now);
  }
}

/**
 * Without the broker that somebody else was to start no probe succeeds: they stand for that broker, whoever's container has them. That
 * it has gone on purpose, and comes back, cannot be known here.
 */
function judgeAbsent({ obstacle }: Attachment, { broker, stoppedBy }: Observations): Verdict {
  if (stoppedBy) return no(`the agent is stopping: ${stoppedBy}`);
  return no(`${broker ? 'the broker has gone' : 'there is no broker yet'}: ${obstacle}`);
}

/** Started: what can be wrong with this pod itself was found right. That a parent is not there yet is not this pod's fault. */
function judgeStartup(observations: Observations): Verdict {
  const { phase } = phaseOf(observations);
  if (phase === 'configure' || phase === 'prepare') return no(`the pod is in phase ${phase}`);
  if (phase === 'broker' && !observations.broker?.connected)
    return no('the broker does not take connections yet');
  return yes(`the pod is in phase ${phase}`);
}

/**
 * Live: the agent turns (it answers this), and its broker is waited for on purpose or answers. What other pods do never counts: a
 * failing leader must not have the kubelet restart its followers.
 */
function judgeLive({ broker, ...observations }: Observations, now: number): Verdict {
  const { phase } = phaseOf({ broker, ...observations });
  if (phase !== 'broker' || !broker) return yes(`the agent is in phase ${phase}`);
  if (broker.silentSince === undefined)
    return yes(`the broker answers: ${stateOf(broker) ?? 'it is starting'}`);
  const silentMs = now - broker.silentSince;
  if (silentMs < hungAfterMs) return yes(`the broker has owed an answer for ${seconds(silentMs)}`);
  return no(`the broker hangs: it has not answered for ${seconds(silentMs)}`);
}

function judgeReady(observations: Observations, now: number): Verdict {
  const { broker, stoppedBy, configuration, membership, obstacle, apiFault } = observations;
  const { phase } = phaseOf(observations);
  if (stoppedBy) return no(`the pod is stopping: ${stoppedBy}`);
  if (phase === 'await-parent')
    return no(
      obstacle
        ? `waiting for the parent's ${obstacle.waitingFor}: ${obstacle.seen}`
        : 'looking for the parent',
    );
  if (phase !== 'broker' || !broker) return no(`the pod is in phase ${phase}`);
  if (apiFault !== undefined) return no(`the API refuses every client: ${apiFault}`);
  if (configuration.ready === 'up') return yes('the agent supervises a broker');
  if (broker.silentSince !== undefined)
    return no(`the broker has not answered for ${seconds(now - broker.silentSince)}`);
  const state = stateOf(broker);
  if (!state) return no('the broker has not said its state yet');
  if (!broker.confirmed) return no(`the broker does not confirm its state, which was ${state}`);
  const leads = membership?.rank === 0;
  const silent = parentSilentSince(broker, now);
  if (silent !== undefined) return no(`the parent is lost: no heartbeat for ${seconds(now - silent)}`);
  if (leads && configuration.ready === 'run') {
    if (state === 'run') return yes(`the instance runs${subtrees(broker)}`);
    if (state !== 'quorum') return no(`the broker is in state ${state}`);
    return no(quorumWait(observations));
  }
  const joined = hasJoined(state);
  return joined
    ? yes(`the broker is in state ${state}${subtrees(broker)}`)
    : no(`the broker is in state ${state}`);
}

/** Pods below that are lost are their own probes' business: this pod is ready all the same, and says what it sees. */
function subtrees({ overlay }: BrokerObservation): string {
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

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
