import type { Event, Step } from './machine.ts';
import { type Outcome, stoppedOutcome } from './outcome.ts';
import type { Ends } from './stop.ts';

/**
 * What an event means while the broker is being started. A process that is being spawned cannot be called back: an exit that is asked for
 * meanwhile waits for the broker to have started, and then ends it. Pure: a part of leader.ts and follower.ts.
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
