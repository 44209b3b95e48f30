/**
 * The life of a follower, as a state machine (../machine.ts): it awaits its parent, starts its broker with the parent's address, and awaits the
 * parent again when that is lost, until it has the outcome of the instance, or a signal asks it to exit.
 *
 *     await-parent -> start-broker -> run -> learn-outcome -> exit
 *          ^               ^           |           |
 *          |               +-replaced--+-----------+
 *          +---- backoff <---- lost ---+-----------+
 */

import type { Membership } from '../../broker/membership.ts';
import type { Instant } from '../../clock.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { Announcement } from '../../parent-link/announcement.ts';
import { announcedOutcome } from '../exit/outcome.ts';
import {
  after,
  type Command,
  type Deadline,
  due,
  type Event,
  exit,
  type Machine,
  notDue,
  type Step,
} from '../machine.ts';
import * as stop from '../stop/sigterm.ts';
import { whileStarting } from '../while-starting.ts';
import { brokerExited, exitIfAsked, learning } from './exit-code.ts';
import type { Await, Context, Follower, Run, Start } from './follower-state.ts';
import { beginWatch, watchParent } from './lost-parent.ts';
import { awaitParent, begin, startBroker } from './start-broker.ts';

export type { Follower } from './follower-state.ts';

/** A broker that still runs this long after the outcome was orphaned: the leader's broker has crashed rather than shut down. */
const lingerMs = 3000;

export const follower = (
  { grace, http }: Pick<Configuration, 'grace' | 'http'>,
  { size, parent }: Pick<Membership, 'size' | 'parent'>,
): Machine<Follower> => ({
  first: begin,
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
        return event.kind === 'deadline' ? awaitParent(state.attempt) : exitIfAsked(state, event);
      case 'exit':
        return { state, commands: [] };
    }
  },
  deadlinesOf: (state) => ({
    ...('watch' in state ? state.watch.deadlines : {}),
    ...('deadlines' in state ? state.deadlines : {}),
  }),
});

function awaiting(state: Await, event: Event, context: Context): Step<Follower> {
  switch (event.kind) {
    case 'parent found':
      return startBroker(state, event.address, context, event.facts);
    case 'parent not found':
      return exit(event.outcome);
    default:
      return exitIfAsked(state, event);
  }
}

function starting(state: Start, event: Event, context: Context): Step<Follower> {
  const { now } = context;
  const { watch, commands: watchParent } = beginWatch(state.parent, now);
  const { stoppedBy: _, ...start } = state;
  const run: Run = { ...start, at: 'run', watch, parentStops: false, deadlines: {} };
  const commands: Command[] = [{ do: 'accept child links' }, ...watchParent];
  if (event.kind === 'announced' && event.message.kind === 'outcome')
    return {
      state: { ...state, outcome: state.outcome ?? announcedOutcome(event.message) },
      commands: [{ do: 'cancel start' }],
    };
  const { outcome, failure, stoppedBy } = state;
  return whileStarting<Start, Follower>(state, event, {
    run: () => ({ state: run, commands: outcome ? [{ do: 'kill broker' }] : commands }),
    stop: (signal) => after(commands, stop.stopFollower(run, signal, now, context)),
    exit: (other) => (outcome && !failure && !stoppedBy ? exit(outcome, true) : exit(other)),
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
  return watchParent<Run, Follower>(run, event, context, (replaced) => ({
    state: replaced,
    commands: [{ do: 'kill broker' }],
  }));
}

function announced(run: Run, message: Announcement, now: Instant): Step<Run> {
  if (message.kind === 'stopping') return stop.parentStops(run);
  if (message.kind === 'ending') return { state: { ...run, instanceEnds: true }, commands: [] };
  if (run.outcome) return { state: run, commands: [] };
  return {
    state: due({ ...run, outcome: announcedOutcome(message) }, 'linger', now + lingerMs),
    commands: [],
  };
}

function overdue(run: Run, deadline: Deadline, context: Context): Step<Run> {
  if (deadline === 'parent stops') return stop.leaveAlone(run, context.now);
  if (deadline === 'grace') return { state: run, commands: stop.graceOver(context) };
  return { state: run, commands: [{ do: 'kill broker' }] };
}
