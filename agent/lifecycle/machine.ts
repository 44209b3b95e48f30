/**
 * The events and commands of the state machines leader.ts and follower/follower.ts. A machine decides and does nothing: the same state, event
 * and time always give the same next state and commands. The shell (supervise.ts, broker/run-broker.ts, parent/reach-parent.ts) executes the
 * commands and decides nothing.
 */

import type { HostPort } from '../address.ts';
import type { Ending } from '../broker/process/broker-process.ts';
import type { Instant } from '../clock.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';
import type { NoLink } from '../link/open-link.ts';
import type { LogLevel } from '../log.ts';
import type { Announcement } from '../parent-link/announcement.ts';
import type { Outcome } from './exit/outcome.ts';

type Facts = Readonly<Record<string, unknown>>;

export type Event =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  /** `facts`: the cost of the search. */
  | { readonly kind: 'parent found'; readonly address: HostPort; readonly facts: Facts }
  | { readonly kind: 'parent not found'; readonly outcome: Outcome }
  | { readonly kind: 'broker started' }
  /** Without `outcome` the start was cancelled. */
  | { readonly kind: 'broker not started'; readonly outcome: Outcome | undefined }
  | { readonly kind: 'broker state'; readonly state: BrokerState }
  /** `failure`: why the broker could not do its work, where that is known. */
  | { readonly kind: 'broker exited'; readonly ending: Ending; readonly failure: Outcome | undefined }
  /** The instance has had no active job for the time that was asked for. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'drained' }
  | { readonly kind: 'link opened'; readonly incarnation: string }
  /** `parentIsSilent`: heartbeats from the parent are overdue. */
  | { readonly kind: 'no link'; readonly why: NoLink; readonly parentIsSilent: boolean }
  | { readonly kind: 'link broken' }
  /** The parent has announced it over the link. */
  | { readonly kind: 'announced'; readonly message: Announcement }
  | { readonly kind: 'deadline'; readonly of: Deadline }
  /** The agent itself cannot go on. */
  | { readonly kind: 'failed'; readonly outcome: Outcome };

export type Command =
  /** Once in the life of a pod. */
  | { readonly do: 'start services' }
  | { readonly do: 'enter await-parent' }
  /** `known`: where the parent was; `foreign`: where another instance answers. */
  | {
      readonly do: 'find parent';
      readonly known?: readonly string[];
      readonly foreign?: readonly string[];
    }
  | { readonly do: 'stop finding' }
  /** Once in the life of a pod. */
  | { readonly do: 'watch mounts' }
  /** `broker started` or `broker not started` follows. */
  | { readonly do: 'start broker'; readonly parent?: HostPort }
  | { readonly do: 'cancel start' }
  | { readonly do: 'signal broker'; readonly signal: NodeJS.Signals }
  /** With all processes that it has started. */
  | { readonly do: 'kill broker' }
  /** `idle` follows when the instance has had no active job for so long. */
  | { readonly do: 'watch idle'; readonly seconds: number }
  /** `drained` follows, also where the node cannot be drained. */
  | { readonly do: 'drain' }
  /** `link opened` or `no link` follows. A link that is open is heard until its other end closes it for this one. */
  | { readonly do: 'open link'; readonly host: string }
  /** Nothing follows: neither from an open link nor from an attempt. */
  | { readonly do: 'close link' }
  /** The children's agents may open links that belong to the broker that has started. */
  | { readonly do: 'accept child links' }
  /** To the children, over their links. */
  | { readonly do: 'announce'; readonly message: Announcement }
  | { readonly do: 'break child links' }
  | { readonly do: 'log'; readonly level: LogLevel; readonly sentence: string; readonly facts?: Facts }
  /** All other commands that are under way are cancelled. */
  | ({ readonly do: 'exit' } & Exit);

export interface Exit {
  readonly outcome: Outcome;
  /** A broker has exited: the children may still receive the outcome, and `post` hooks run. */
  readonly runsPost: boolean;
}

export type Deadline =
  | 'backoff'
  | 'open link'
  | 'find parent'
  | 'parent stops'
  | 'leave'
  | 'grace'
  | 'linger'
  | 'outcome';
export type Deadlines = { readonly [D in Deadline]?: Instant };

export interface Step<State> {
  readonly state: State;
  readonly commands: readonly Command[];
}

export interface Machine<State> {
  readonly first: (now: Instant) => Step<State>;
  /** `random`: from 0 to 1, for the jitter of backoff. */
  readonly next: (state: State, event: Event, now: Instant, random: number) => Step<State>;
  /** What is due when, if nothing happens before. */
  readonly deadlinesOf: (state: State) => Deadlines;
}

/** The last step of a machine. */
export const exit = (outcome: Outcome, runsPost = false): Step<{ readonly at: 'exit' }> => ({
  state: { at: 'exit' },
  commands: [{ do: 'exit', outcome, runsPost }],
});

/** A step with commands before its own. */
export const after = <State>(commands: readonly Command[], step: Step<State>): Step<State> => ({
  state: step.state,
  commands: [...commands, ...step.commands],
});

interface HasDeadlines {
  readonly deadlines: Deadlines;
}

export const due = <State extends HasDeadlines>(state: State, deadline: Deadline, at: Instant): State => ({
  ...state,
  deadlines: { ...state.deadlines, [deadline]: at },
});

export function notDue<State extends HasDeadlines>(state: State, deadline: Deadline): State {
  const { [deadline]: _, ...deadlines } = state.deadlines;
  return { ...state, deadlines };
}

/** The deadline that comes first, and when. */
export function earliest(deadlines: Deadlines): { of: Deadline; at: Instant } | undefined {
  const [first] = Object.entries(deadlines).sort(([, one], [, other]) => one - other);
  return first && { of: first[0] as Deadline, at: first[1] };
}
