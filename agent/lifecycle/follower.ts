/**
 * The life of a follower, as a state machine (machine.ts): it awaits its parent, starts its broker with the parent's address, and awaits the
 * parent again when that is lost, until it has the outcome of the instance, or a signal asks it to exit.
 *
 *     await-parent -> start-broker -> run -> learn-outcome -> exit
 *          ^               ^           |           |
 *          |               +-replaced--+-----------+
 *          +---- backoff <---- lost ---+-----------+
 */

import type { HostPort } from '../address.ts';
import type { Membership } from '../broker/membership.ts';
import type { Ending } from '../broker/process/broker-process.ts';
import type { Configuration } from '../config/configuration.ts';
import { backoffMs } from '../dns/wait/backoff.ts';
import type { Instant } from '../instant.ts';
import type { Announcement } from '../parent-link/message.ts';
import { whileStarting } from './broker-start.ts';
import {
  after,
  type Command,
  type Deadline,
  type Deadlines,
  due,
  type Event,
  exit,
  type Machine,
  notDue,
  type Step,
} from './machine.ts';
import { type Outcome, stoppedOutcome, toldOutcome, unknownOutcome } from './outcome.ts';
import { beginWatch, nextWatch, type ParentWatch, stopWatching } from './parent-watch.ts';
import * as stop from './stop.ts';

interface Await {
  readonly at: 'await-parent' | 'backoff';
  /** Brokers that have exited before they were settled, for the backoff. */
  readonly attempt: number;
  readonly deadlines: Deadlines;
}

interface Start extends stop.Ends {
  readonly at: 'start-broker';
  readonly attempt: number;
  readonly parent: HostPort;
  readonly startedAt: Instant;
}

interface Life extends Omit<Start, 'at'>, stop.FollowerRun {
  readonly watch: ParentWatch;
  /** Where another broker has taken the parent's place. */
  readonly replacedBy?: HostPort | undefined;
  /** Of the instance, as its leader has announced it. */
  readonly outcome?: Outcome | undefined;
}

interface Run extends Life {
  readonly at: 'run';
}

/** The broker has exited. */
interface Learn extends Life {
  readonly at: 'learn-outcome';
  readonly ending: Ending;
}

export type Follower = Await | Start | Run | Learn | { readonly at: 'exit' };

/** When an event happens, and to which pod. */
interface Context extends stop.Grace {
  /** Pods of the instance. */
  readonly size: number;
  /** The parent's entry in the host list. */
  readonly parent: string | undefined;
  /** Whether agents are linked: FLUX_POD_HTTP is not `off`. */
  readonly linked: boolean;
  readonly now: Instant;
  readonly random: number;
}

/** A broker that ran this long had joined: the backoff starts anew. */
const settledMs = 10_000;
/** A pod that waits this long for its parent watches the mounted files meanwhile. */
const watchMountsAfterMs = 1000;
/** A leader announces the outcome as soon as its broker has exited, which is a little after its followers' brokers. */
const outcomeWithinMs = 30_000;
/** An outcome that comes with the end of a lost parent's broker is there by then. */
const outcomeIsThereMs = 100;
/** A broker that still runs this long after the outcome was orphaned: the leader's broker has crashed rather than shut down. */
const lingerMs = 3000;

export const follower = (
  { grace, http }: Pick<Configuration, 'grace' | 'http'>,
  { size, parent }: Pick<Membership, 'size' | 'parent'>,
): Machine<Follower> => ({
  first: (now) => awaitParent(0, now),
  next: (state, event, now, random) => {
    const context = { grace, linked: http !== 'off', size, parent: parent?.host, now, random };
    switch (state.at) {
      case 'await-parent':
        return awaiting(state, event, context);
      case 'start-broker':
        return starting(state, event, context);
      case 'run':
        return running(state, event, context);
      case 'learn-outcome':
        return learning(state, event, context);
      case 'backoff':
        return event.kind === 'deadline' ? awaitParent(state.attempt, now) : exitIfAsked(state, event);
      case 'exit':
        return { state, commands: [] };
    }
  },
  deadlinesOf: (state) => ({
    ...('watch' in state ? state.watch.deadlines : {}),
    ...('deadlines' in state ? state.deadlines : {}),
  }),
});

const awaitParent = (attempt: number, now: Instant): Step<Follower> => ({
  state: { at: 'await-parent', attempt, deadlines: { 'watch mounts': now + watchMountsAfterMs } },
  commands: [{ do: 'enter await-parent' }, { do: 'find parent' }],
});

function awaiting(state: Await, event: Event, context: Context): Step<Follower> {
  switch (event.kind) {
    case 'parent found':
      return startBroker(state.attempt, event.address, context, event.facts);
    case 'parent not found':
      return exit(event.outcome);
    case 'deadline':
      return { state: { ...state, deadlines: {} }, commands: [{ do: 'watch mounts' }] };
    default:
      return exitIfAsked(state, event);
  }
}

function startBroker(
  attempt: number,
  parent: HostPort,
  context: Context,
  facts: Readonly<Record<string, unknown>> = {},
): Step<Follower> {
  const sentence = `The parent ${context.parent} listens at ${parent.host}:${parent.port}`;
  return {
    state: { at: 'start-broker', attempt, parent, startedAt: context.now },
    commands: [
      { do: 'log', level: 'info', sentence, facts },
      { do: 'start broker', parent },
    ],
  };
}

function starting(state: Start, event: Event, context: Context): Step<Follower> {
  const { now } = context;
  const { watch, commands } = beginWatch(state.parent, now);
  const { stoppedBy: _, ...start } = state;
  const run: Run = { ...start, at: 'run', watch, parentStops: false, deadlines: {} };
  return whileStarting<Start, Follower>(state, event, {
    run: () => ({ state: run, commands }),
    stop: (signal) => after(commands, stop.stopFollower(run, signal, now, context)),
    exit,
  });
}

function running(run: Run, event: Event, context: Context): Step<Follower> {
  const { now } = context;
  switch (event.kind) {
    case 'signal':
      return stop.stopFollower(run, event.signal, now, context);
    case 'drained':
      return stop.drained(run, now);
    case 'announced':
      return after([{ do: 'announce', message: event.message }], announced(run, event.message, now));
    case 'failed':
      return {
        state: { ...run, failure: run.failure ?? event.outcome },
        commands: [{ do: 'kill broker' }],
      };
    case 'broker exited':
      return brokerExited(run, event, context);
    case 'deadline':
      if (run.deadlines[event.of] === undefined) break;
      return overdue(notDue(run, event.of), event.of, context);
  }
  return watching(run, event, now, (replaced) => ({ state: replaced, commands: [{ do: 'kill broker' }] }));
}

function announced(run: Run, message: Announcement, now: Instant): Step<Run> {
  if (message.kind === 'stopping') return stop.parentStops(run);
  if (run.outcome) return { state: run, commands: [] };
  return {
    state: due({ ...run, outcome: toldOutcome(message) }, 'linger', now + lingerMs),
    commands: [],
  };
}

function overdue(run: Run, deadline: Deadline, context: Context): Step<Run> {
  if (deadline === 'parent stops') return stop.leaveAlone(run, context.now);
  if (deadline === 'grace') return { state: run, commands: stop.graceOver(context) };
  return { state: run, commands: [{ do: 'kill broker' }] };
}

/**
 * What the exit of its broker means to a follower. With code 0 its parent's broker has shut it down: the instance has ended, or the parent
 * stops. Any other code is a lost parent or a broken broker.
 */
function brokerExited(
  run: Run,
  { ending, failure }: Event & { kind: 'broker exited' },
  context: Context,
): Step<Follower> {
  if (run.failure) return exit(run.failure);
  if (run.stoppedBy) return exit(stoppedOutcome(run.stoppedBy), true);
  if (failure) return exit(failure);
  if (run.outcome) return exit(run.outcome, true);
  const learn: Learn = { ...run, at: 'learn-outcome', ending, deadlines: {} };
  if (run.parentStops || run.replacedBy) return startAgain(learn, context);
  if (context.linked) {
    const withinMs = ending.code === 0 ? outcomeWithinMs : outcomeIsThereMs;
    return { state: due(learn, 'outcome', context.now + withinMs), commands: [] };
  }
  return ending.code === 0
    ? exit(unknownOutcome('FLUX_POD_HTTP is off', 0), true)
    : startAgain(learn, context);
}

function learning(learn: Learn, event: Event, context: Context): Step<Follower> {
  switch (event.kind) {
    case 'announced': {
      const { message } = event;
      const step = message.kind === 'outcome' ? exit(toldOutcome(message), true) : startAgain(learn, context);
      return after([{ do: 'announce', message }], step);
    }
    case 'deadline':
      if (event.of !== 'outcome') break;
      return learn.ending.code === 0
        ? exit(unknownOutcome('the leader has not told it'), true)
        : startAgain(learn, context);
    case 'signal':
    case 'failed':
      return exitIfAsked(learn, event);
  }
  return watching(learn, event, context.now, (replaced) => startAgain(replaced, context));
}

/** The instance goes on without the broker that has exited: this pod looks for its parent, and its children for this pod's next broker. */
function startAgain(learn: Learn, context: Context): Step<Follower> {
  const { replacedBy, ending, startedAt } = learn;
  const { now, random, size } = context;
  const leave: Command[] = [...stopWatching, { do: 'break child links' }];
  if (replacedBy)
    return after(
      [...leave, { do: 'enter await-parent' }],
      startBroker(learn.attempt + 1, replacedBy, context),
    );
  const attempt = now - startedAt > settledMs ? 0 : learn.attempt;
  const sentence = 'The broker ended before the instance: its parent went, or it could not join';
  return {
    state: {
      at: 'backoff',
      attempt: attempt + 1,
      deadlines: { backoff: now + backoffMs(attempt, size, random) },
    },
    commands: [...leave, { do: 'log', level: 'warn', sentence, facts: { code: ending.code } }],
  };
}

/** What an event shows of the parent. */
function watching<L extends Run | Learn>(
  life: L,
  event: Event,
  now: Instant,
  then: (life: L) => Step<Follower>,
): Step<Follower> {
  const { watch, commands, replacedBy } = nextWatch(life.watch, event, now);
  if (!replacedBy) return { state: { ...life, watch }, commands };
  const sentence = 'Another broker has taken the place of the parent: this one is started anew to join it';
  return after(
    [...stopWatching, { do: 'log', level: 'warn', sentence, facts: { parent: replacedBy.host } }],
    then({ ...life, watch: { ...watch, deadlines: {} }, replacedBy }),
  );
}

function exitIfAsked(state: Await | Learn, event: Event): Step<Follower> {
  if (event.kind === 'signal') return exit(stoppedOutcome(event.signal), state.at === 'learn-outcome');
  if (event.kind === 'failed') return exit(event.outcome);
  return { state, commands: [] };
}
