/** The states of a follower's machine (follower.ts). */
import type { HostPort } from '../../address.ts';
import type { Ending } from '../../broker/process/broker-process.ts';
import type { Instant } from '../../clock.ts';
import type { Outcome } from '../exit/outcome.ts';
import type { Deadlines } from '../machine.ts';
import type { Ends, FollowerRun, Grace } from '../stop/sigterm.ts';
import type { ParentWatch } from './lost-parent.ts';

export interface Await {
  readonly at: 'await-parent';
  /** Brokers that have exited before they had settled, for the backoff. */
  readonly attempt: number;
}

export interface Backoff extends Omit<Await, 'at'> {
  readonly at: 'backoff';
  readonly deadlines: Deadlines;
}

export interface Start extends Ends {
  readonly at: 'start-broker';
  readonly attempt: number;
  readonly parent: HostPort;
  readonly startedAt: Instant;
  /** Of the instance, as its leader has announced. */
  readonly outcome?: Outcome | undefined;
}

export interface Life extends Omit<Start, 'at'>, FollowerRun {
  readonly watch: ParentWatch;
  /** The leader has announced that its program has ended: the outcome follows. */
  readonly instanceEnds?: true | undefined;
  /** The address of another broker that has taken the parent's place. */
  readonly replacedBy?: HostPort | undefined;
}

export interface Run extends Life {
  readonly at: 'run';
}

/** The broker has exited. */
export interface Learn extends Life {
  readonly at: 'learn-outcome';
  readonly ending: Ending;
}

export type Follower = Await | Backoff | Start | Run | Learn | { readonly at: 'exit' };

/** When an event happens, and to which pod. */
export interface Context extends Grace {
  /** Pods of the instance. */
  readonly size: number;
  /** The parent's entry in the host list. */
  readonly parent: string | undefined;
  /** Whether agents are linked: FLUX_POD_HTTP is not `off`. */
  readonly linked: boolean;
  readonly now: Instant;
  readonly random: number;
}
