/** The state of the pod. The lifecycle writes it as things happen; only probes, /status and /metrics read it, and they do no work of their own. */

import type { HostPort } from '../address.ts';
import type { Membership } from '../broker/membership.ts';
import { type Instant, instant } from '../clock.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Demand } from '../demand/demand.ts';
import type { WaitReason } from '../dns/wait/wait-reason.ts';
import type { PhaseRecord } from '../pod/phase.ts';
import type { BrokerStatus } from './broker-status.ts';

/** Where `flux-pod attach` looks for the local socket of a broker. */
export interface Attachment {
  /** The paths at which it looks. */
  readonly sockets: readonly string[];
  /** The path at which it found the broker last. */
  readonly socket: string | undefined;
  /** Why there is no broker now, while there is none. */
  readonly waitReason: string;
}

/** A sentence, and when it became true. */
export interface Message {
  readonly at: number;
  readonly what: string;
}

export interface PodState {
  /** With `flux-pod attach` also what the broker reports of itself, such as its quorum. */
  readonly configuration: Configuration;
  /** Undefined where the agent starts the broker. */
  readonly attachment: Attachment | undefined;
  readonly startedAt: Instant;
  readonly phases: readonly PhaseRecord[];
  readonly membership: Membership | undefined;
  readonly flux: string | undefined;
  /** The address and port at which the parent was found. */
  readonly parentAddress: HostPort | undefined;
  /** Why the wait for the parent goes on, while it does. */
  readonly waitReason: WaitReason | undefined;
  /** The present broker, or the last one. */
  readonly broker: BrokerStatus | undefined;
  readonly brokersStarted: number;
  /** On the leader of an elastic instance, while the queue is known. */
  readonly demand: Demand | undefined;
  readonly dnsQueries: number;
  /** The first signal that asked for the exit. */
  readonly stoppedBy: NodeJS.Signals | undefined;
  /** The pod has failed, and is kept for a person to look into (FLUX_POD_ON_FAILURE=hold). */
  readonly held: boolean;
  readonly lastError: Message | undefined;
  /** Why the API refuses every client, while it does. */
  readonly apiFault: string | undefined;
  /** Changes of mounted files that need a restart or were refused, and those that are in use. */
  readonly warnings: readonly Message[];
}

type Written = Omit<PodState, 'startedAt' | 'phases' | 'warnings'>;

/** Writes the state. It shows nothing of it: control flow asks the owner of what it needs. */
export interface PodStateWriter {
  readonly set: (parts: Partial<Written>) => void;
  readonly warn: (sentence: string) => void;
}

const mostWarnings = 20;

/** The state of a pod that begins. `phases` grows as the pod enters them. */
export function createPodState(
  configuration: Configuration,
  phases: readonly PhaseRecord[],
  now: Instant = instant(),
): { readonly state: PodState; readonly writer: PodStateWriter } {
  const warnings: Message[] = [];
  const state = {
    configuration,
    attachment: undefined,
    startedAt: now,
    phases,
    membership: undefined,
    flux: undefined,
    parentAddress: undefined,
    waitReason: undefined,
    broker: undefined,
    brokersStarted: 0,
    demand: undefined,
    dnsQueries: 0,
    stoppedBy: undefined,
    held: false,
    lastError: undefined,
    apiFault: undefined,
    warnings,
  };
  return {
    state,
    writer: {
      set: (parts) => void Object.assign(state, parts),
      warn: (what) => {
        warnings.push({ at: Date.now(), what });
        if (warnings.length > mostWarnings) warnings.shift();
      },
    },
  };
}

/** The phase that the pod is in. */
export function phaseOf({ phases }: Pick<PodState, 'phases'>): PhaseRecord {
  const last = phases.at(-1);
  if (!last) throw new Error('a pod is always in a phase');
  return last;
}
