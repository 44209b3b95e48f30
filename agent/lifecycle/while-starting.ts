import { type Outcome, stoppedOutcome } from './exit/outcome.ts';
import type { Event, Step } from './machine.ts';
import type { Ends } from './stop/sigterm.ts';

/**
 * What an event means while the broker is being started. The start of a process cannot be cancelled half-way: after a signal or a failure the
 * machine waits until the broker has started, and then stops it. Pure: a part of leader.ts and follower/follower.ts.
 */
export function whileStarting<Start extends Ends, State>(
  state: Start,
  event: Event,
  then: {
    readonly run: () => Step<State>;
    readonly stop: (signal: NodeJS.Signals) => Step<State>;
    readonly exit: (outcome: Outcome) => Step<State>;
  },
): Step<Start | State> {
  const { stoppedBy, failure } = state;
  switch (event.kind) {
    case 'signal':
      return {
        state: { ...state, stoppedBy: stoppedBy ?? event.signal },
        commands: [{ do: 'cancel start' }],
      };
    case 'failed':
      return { state: { ...state, failure: failure ?? event.outcome }, commands: [{ do: 'cancel start' }] };
    case 'broker not started':
      return then.exit(event.outcome ?? failure ?? stoppedOutcome(stoppedBy ?? 'SIGTERM'));
    case 'broker started':
      if (failure) return { state: then.run().state, commands: [{ do: 'kill broker' }] };
      return stoppedBy ? then.stop(stoppedBy) : then.run();
    default:
      return { state, commands: [] };
  }
}
