/** The exit code of a follower: what the exit of its broker means, and how it learns the outcome of the instance. Pure: a part of follower.ts. */
import { announcedOutcome, stoppedOutcome, unknownOutcome } from '../exit/outcome.ts';
import { after, due, type Event, exit, type Step } from '../machine.ts';
import type { Await, Backoff, Context, Follower, Learn, Run } from './follower-state.ts';
import { watchParent } from './lost-parent.ts';
import { startAgain } from './start-broker.ts';

/** A leader announces the outcome as soon as its broker has exited, which is a little after its followers' brokers. */
const outcomeWithinMs = 30_000;
/** An outcome that comes with the end of a lost parent's broker is there by then. */
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
  if (context.linked) {
    const withinMs = ending.code === 0 ? outcomeWithinMs : outcomeIsThereMs;
    return { state: due(learn, 'outcome', context.now + withinMs), commands: [] };
  }
  return ending.code === 0
    ? exit(unknownOutcome('FLUX_POD_HTTP is off', 0), true)
    : startAgain(learn, context);
}

export function learning(learn: Learn, event: Event, context: Context): Step<Follower> {
  switch (event.kind) {
    case 'announced': {
      const { message } = event;
      const step =
        message.kind === 'outcome' ? exit(announcedOutcome(message), true) : startAgain(learn, context);
      return after([{ do: 'announce', message }], step);
    }
    case 'deadline':
      if (event.of !== 'outcome') break;
      return learn.ending.code === 0
        ? exit(unknownOutcome('the leader has not announced it'), true)
        : startAgain(learn, context);
    case 'signal':
    case 'failed':
      return exitIfAsked(learn, event);
  }
  return watchParent<Learn, Follower>(learn, event, context, (replaced) => startAgain(replaced, context));
}

/** Where no broker runs, the pod exits at once, also with the outcome that comes over the link of a broker that has exited. */
export function exitIfAsked(state: Await | Backoff | Learn, event: Event): Step<Follower> {
  if (event.kind === 'announced' && event.message.kind === 'outcome')
    return exit(announcedOutcome(event.message), true);
  if (event.kind === 'signal') return exit(stoppedOutcome(event.signal), state.at === 'learn-outcome');
  if (event.kind === 'failed') return exit(event.outcome);
  return { state, commands: [] };
}
