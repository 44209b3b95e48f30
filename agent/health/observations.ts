/** What the agent knows about its pod: set as things happen, read by whoever asks. A probe does no work of its own. */

import type { HostPort } from '../address.ts';
import type { Membership } from '../broker/membership.ts';
import type { Configuration } from '../config/configuration.ts';
import type { WaitReason } from '../dns/wait/wait-reason.ts';
import type { OverlayHealth } from '../flux/services/overlay.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';
import { instant } from '../instant.ts';
import type { PhaseRecord } from '../pod/phase.ts';

/** One broker process, from its start to its end. Times are milliseconds since 1970. */
export interface BrokerObservation {
  readonly pid: number;
  readonly startedAt: number;
  /** Whether its local socket has ever admitted the agent. */
  connected: boolean;
  /** Every state it has been in, the present one last; empty until it has said the first. */
  readonly states: { readonly state: BrokerState; readonly since: number }[];
  /** Whether its last state came over the present connection: what came before that broke may have changed. */
  confirmed: boolean;
  /** The moment since which it owes an answer; undefined while it owes none. */
  silentSince: number | undefined;
  /** The subtree below it. */
  overlay: OverlayHealth | undefined;
  /** When rank 0's heartbeat last came through the parent, and how often it is to come, in milliseconds. */
  heartbeat: { at: number; periodMs: number } | undefined;
  /** Ranks that are online, on the leader. */
  online: readonly number[] | undefined;
}

/** Where the broker is that somebody else has started (`flux-pod attach`). */
export interface Attachment {
  /** The places at which its local socket is looked for. */
  readonly sockets: readonly string[];
  /** The one where it was found last. */
  socket: string | undefined;
  /** Why there is no broker now, while there is none. */
  obstacle: string;
}

/** What is wrong, or waits for a restart, without ending the pod. */
export interface Remark {
  readonly at: number;
  readonly what: string;
}

export interface Observations {
  /** What was set; of somebody else's broker also what it says itself, such as its quorum. */
  configuration: Configuration;
  /** Absent where the agent starts the broker. */
  attachment: Attachment | undefined;
  readonly startedAt: number;
  readonly phases: readonly PhaseRecord[];
  membership: Membership | undefined;
  flux: string | undefined;
  /** Where the parent was found to listen. */
  parentAddress: HostPort | undefined;
  /** What stands between this pod and its parent, while it waits. */
  obstacle: WaitReason | undefined;
  /** The present broker, or the last one. */
  broker: BrokerObservation | undefined;
  brokersStarted: number;
  dnsQueries: number;
  /** The signal that asked for the end. */
  stoppedBy: NodeJS.Signals | undefined;
  /** The pod has failed and is kept for a person to look into (FLUX_POD_ON_FAILURE=hold). */
  held: boolean;
  lastError: Remark | undefined;
  /** Why the API refuses every client, while it does not: a sentence for a person. */
  apiFault: string | undefined;
  /** Changes on disk that only a restart brings into effect, or that were refused; and what is well again. */
  readonly remarks: Remark[];
}

export function createObservations(
  configuration: Configuration,
  phases: readonly PhaseRecord[],
  now: number = instant(),
): Observations {
  return {
    configuration,
    attachment: undefined,
    startedAt: now,
    phases,
    membership: undefined,
    flux: undefined,
    parentAddress: undefined,
    obstacle: undefined,
    broker: undefined,
    brokersStarted: 0,
    dnsQueries: 0,
    stoppedBy: undefined,
    held: false,
    lastError: undefined,
    apiFault: undefined,
    remarks: [],
  };
}

const mostRemarks = 20;

export function addRemark({ remarks }: Pick<Observations, 'remarks'>, what: string): void {
  remarks.push({ at: Date.now(), what });
  if (remarks.length > mostRemarks) remarks.shift();
}

export const createBrokerObservation = (pid: number, now: number = instant()): BrokerObservation => ({
  pid,
  startedAt: now,
  connected: false,
  states: [],
  confirmed: false,
  silentSince: undefined,
  overlay: undefined,
  heartbeat: undefined,
  online: undefined,
});

/** The phase that the pod is in. */
export function phaseOf({ phases }: Observations): PhaseRecord {
  const last = phases.at(-1);
  if (!last) throw new Error('a pod is always in a phase');
  return last;
}

export const stateOf = (broker: BrokerObservation | undefined): BrokerState | undefined =>
  broker?.states.at(-1)?.state;

/** Whether a broker owes no answer, and is there to owe one. */
export const answers = (broker: BrokerObservation): boolean =>
  broker.silentSince === undefined && stateOf(broker) !== 'exit';

/** Heartbeats that a broker may miss before its parent counts as lost; Flux itself warns at three. */
const heartbeatsMissed = 3;

/** Since when nothing comes through the parent any more; undefined while it does, and on the leader, which has none. */
export function parentSilentSince(broker: BrokerObservation | undefined, now: number): number | undefined {
  if (!broker?.heartbeat) return undefined;
  const { at, periodMs } = broker.heartbeat;
  return now - at > heartbeatsMissed * periodMs ? at : undefined;
}
