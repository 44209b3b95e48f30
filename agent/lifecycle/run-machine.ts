/** The loop that runs a state machine: events in, one after the other, and each time the commands that follow, and a timer for the next deadline. */
import { type Instant, instant, longestTimerMs } from '../clock.ts';
import { failedOutcome } from './exit/outcome.ts';
import { type Command, type Event, type Exit, earliest, type Machine } from './machine.ts';

export interface Running {
  readonly feed: (event: Event) => void;
  readonly exited: Promise<Exit>;
}

/** `execute` executes all commands but `exit`. An error in that is the event `failed`. */
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
