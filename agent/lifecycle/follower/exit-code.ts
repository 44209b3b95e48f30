/** The exit code of a follower: what the exit of its broker means, and how it learns the outcome of the instance. Pure: a part of follower.ts. */

import type { Announcement } from '../../parent-link/announcement.ts';
import { announcedOutcome, stoppedOutcome, unknownOutcome } from '../exit/outcome.ts';
import { after, due, type Event, exit, notDue, type Step } from '../machine.ts';
import type { Await, Backoff, Context, Follower, Learn, Run } from './follower-state.ts';
import { watchParent } from './lost-parent.ts';
import { startAgain } from './start-broker.ts';

/**
 * How long a follower awaits the outcome where no agent of its parent is there, or none has announced that the instance ends: something else has
 * ended this broker. Otherwise it awaits it however long that takes: the leader's broker exits after the slowest of all, for which Flux has no
 * limit (flux-broker-attributes(7), broker.shutdown-timeout).
 */
const outcomeWithinMs = 30_000;
/** The same where the broker has exited with another code than 0. What comes with the end of a lost parent's broker is there by then. */
const outcomeIsThereMs = 100;

/**
 * What the exit of its broker means to a follower. With code 0 its parent's broker has shut it down: the instance has ended, or the parent
 * stops. Any other code is a lost parent or a broken broker.
 */
export function brokerExited(
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
  if (context.linked) return { state: awaitOutcome(learn, context), commands: [] };
  return ending.code === 0
    ? exit(unknownOutcome('FLUX_POD_HTTP is off', 0), true)
    : startAgain(learn, context);
}

export function learning(learn: Learn, event: Event, context: Context): Step<Follower> {
  switch (event.kind) {
    case 'announced':
      return after([{ do: 'announce', message: event.message }], announced(learn, event.message, context));
    case 'deadline':
      if (event.of !== 'outcome') break;
      return overdue(learn, context);
    case 'signal':
    case 'failed':
      return exitIfAsked(learn, event);
  }
  const waiting = event.kind === 'link broken' ? awaitOutcome(learn, context) : learn;
  return watchParent<Learn, Follower>(waiting, event, context, (replaced) => startAgain(replaced, context));
}

const awaitOutcome = (learn: Learn, { now }: Context): Learn =>
  due(learn, 'outcome', now + (learn.ending.code === 0 ? outcomeWithinMs : outcomeIsThereMs));

function announced(learn: Learn, message: Announcement, context: Context): Step<Follower> {
  switch (message.kind) {
    case 'outcome':
      return exit(announcedOutcome(message), true);
    case 'ending':
      return { state: { ...learn, instanceEnds: true }, commands: [] };
    case 'stopping':
      return startAgain(learn, context);
  }
}

function overdue(learn: Learn, context: Context): Step<Follower> {
  if (learn.instanceEnds && learn.watch.link === 'open') {
    const sentence = 'The instance ends: its outcome follows when the slowest of its brokers has exited';
    return { state: notDue(learn, 'outcome'), commands: [{ do: 'log', level: 'info', sentence }] };
  }
  return learn.ending.code === 0
    ? exit(unknownOutcome('the leader has not announced it'), true)
    : startAgain(learn, context);
}

/** Where no broker runs, the pod exits at once, also with the outcome that comes over the link of a broker that has exited. */
export function exitIfAsked(state: Await | Backoff | Learn, event: Event): Step<Follower> {
  if (event.kind === 'announced' && event.message.kind === 'outcome')
    return exit(announcedOutcome(event.message), true);
  if (event.kind === 'signal') return exit(stoppedOutcome(event.signal), state.at === 'learn-outcome');
  if (event.kind === 'failed') return exit(event.outcome);
  return { state, commands: [] };
}
