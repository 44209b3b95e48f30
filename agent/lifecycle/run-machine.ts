/** The loop that runs a state machine: events in, one after the other, and each time the commands that follow, and a timer for the next deadline. */
import { after, type Instant, instant } from '../clock.ts';
import { failedOutcome } from './exit/outcome.ts';
import { type Command, type Event, type Exit, earliest, type Machine } from './machine.ts';

export interface Running {
  readonly feed: (event: Event) => void;
  readonly exited: Promise<Exit>;
}

/** The world of a machine, which tests replace. */
export interface World {
  readonly now: () => Instant;
  /** Runs `act` once after `ms`; returns what cancels that. */
  readonly after: (ms: number, act: () => void) => () => void;
  readonly random: () => number;
}

const systemWorld: World = { now: instant, after, random: Math.random };

/** `execute` executes all commands but `exit`. An error in that is the event `failed`. */
export function runMachine<State>(
  { first, next, deadlinesOf }: Machine<State>,
  execute: (command: Exclude<Command, { do: 'exit' }>, feed: Running['feed']) => void | Promise<void>,
  { now, after, random }: World = systemWorld,
): Running {
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  const events: Event[] = [];
  const begin = first(now());
  let { state } = begin;
  let isBusy = false;
  let hasExited = false;
  let cancelWake = () => {};

  const feed = (event: Event) => {
    events.push(event);
    if (!isBusy) work();
  };
  const work = (commands: readonly Command[] = []) => {
    isBusy = true;
    run(commands);
    for (let event = events.shift(); event && !hasExited; event = events.shift()) {
      const step = next(state, event, now(), random());
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
    cancelWake();
    const due = earliest(deadlinesOf(state));
    if (hasExited || !due) return;
    // A timer may be some microseconds early.
    const wake = () => (now() < due.at ? wakeLater() : feed({ kind: 'deadline', of: due.of }));
    cancelWake = after(Math.max(0, Math.ceil(due.at - now())), wake);
  };

  work(begin.commands);
  return { feed, exited };
}
