/**
 * The events and commands of the state machines leader.ts and follower.ts, and the loop that runs one. A machine decides and does nothing: the
 * same state, event and time always give the same next state and commands. The shell (supervise.ts, reach-parent.ts) does and decides nothing.
 */

import type { HostPort } from '../address.ts';
import type { Ending } from '../broker/process/broker-process.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';
import { type Instant, instant, longestTimerMs } from '../instant.ts';
import type { LogLevel } from '../log.ts';
import type { NoLink } from '../parent-link/child.ts';
import type { Announcement } from '../parent-link/message.ts';
import { failedOutcome, type Outcome } from './outcome.ts';

type Facts = Readonly<Record<string, unknown>>;

export type Event =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  /** `facts`: what the search has cost. */
  | { readonly kind: 'parent found'; readonly address: HostPort; readonly facts: Facts }
  | { readonly kind: 'parent not found'; readonly outcome: Outcome }
  | { readonly kind: 'broker started' }
  /** Without `outcome` the start was cancelled. */
  | { readonly kind: 'broker not started'; readonly outcome: Outcome | undefined }
  | { readonly kind: 'broker state'; readonly state: BrokerState }
  /** `failure`: why the broker could not do its work, where that is known. */
  | { readonly kind: 'broker exited'; readonly ending: Ending; readonly failure: Outcome | undefined }
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
  | { readonly do: 'enter await-parent' }
  /** `known`: where the parent was; `foreign`: where another instance answers. */
  | {
      readonly do: 'find parent';
      readonly known?: readonly string[];
      readonly foreign?: readonly string[];
    }
  | { readonly do: 'stop finding' }
  | { readonly do: 'watch mounts' }
  /** `broker started` or `broker not started` follows. */
  | { readonly do: 'start broker'; readonly parent?: HostPort }
  | { readonly do: 'cancel start' }
  | { readonly do: 'signal broker'; readonly signal: NodeJS.Signals }
  /** With all that it has started and left. */
  | { readonly do: 'kill broker' }
  /** `drained` follows, also where the node cannot be drained. */
  | { readonly do: 'drain' }
  /** `link opened` or `no link` follows. */
  | { readonly do: 'open link'; readonly host: string }
  /** Nothing follows: neither from an open link nor from an attempt. */
  | { readonly do: 'close link' }
  /** To the children, over their links. */
  | { readonly do: 'announce'; readonly message: Announcement }
  | { readonly do: 'break child links' }
  | { readonly do: 'log'; readonly level: LogLevel; readonly sentence: string; readonly facts?: Facts }
  /** Everything else that is under way is given up. */
  | ({ readonly do: 'exit' } & Exit);

export interface Exit {
  readonly outcome: Outcome;
  /** A broker has run to its end: the children may still hear the outcome, and `post` hooks run. */
  readonly runsPost: boolean;
}

export type Deadline =
  | 'watch mounts'
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

export interface Running {
  readonly feed: (event: Event) => void;
  readonly exited: Promise<Exit>;
}

/** Runs a machine: `execute` does what it commands, apart from `exit`. An error in that is the event `failed`. */
export function runMachine<State>(
  { first, next, deadlinesOf }: Machine<State>,
  execute: (command: Exclude<Command, { do: 'exit' }>, feed: Running['feed']) => void | Promise<void>,
  now: () => Instant = instant,
): Running {
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  const events: Event[] = [];
  const begin = first(now());
  let { state } = begin;
  let isBusy = false;
  let hasExited = false;
  let timer: NodeJS.Timeout | undefined;

  const feed = (event: Event) => {
    events.push(event);
    if (!isBusy) work();
  };
  const work = (commands: readonly Command[] = []) => {
    isBusy = true;
    run(commands);
    for (let event = events.shift(); event && !hasExited; event = events.shift()) {
      const step = next(state, event, now(), Math.random());
      ({ state } = step);
      run(step.commands);
    }
    isBusy = false;
    wakeLater();
  };
  const run = (commands: readonly Command[]) => {
    for (const command of commands) {
      if (command.do === 'exit') {
        hasExited = true;
        resolve(command);
        return;
      }
      void (async () => execute(command, feed))().catch((error: unknown) =>
        feed({ kind: 'failed', outcome: failedOutcome(error) }),
      );
    }
  };
  const wakeLater = () => {
    clearTimeout(timer);
    const due = earliest(deadlinesOf(state));
    if (hasExited || !due) return;
    // A timer may be some microseconds early, and counts to 24 days only.
    const wake = () => (now() < due.at ? wakeLater() : feed({ kind: 'deadline', of: due.of }));
    timer = setTimeout(wake, Math.min(longestTimerMs, Math.max(0, Math.ceil(due.at - now()))));
  };

  work(begin.commands);
  return { feed, exited };
}
