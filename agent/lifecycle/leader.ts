/** The life of a leader's broker, as a state machine (machine.ts). A leader waits for no other pod, and its outcome is that of the instance. */
import type { Instant } from '../clock.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';
import { idleOutcome, leaderOutcome, type Outcome, stoppedOutcome } from './exit/outcome.ts';
import { after, type Command, type Deadlines, type Event, exit, type Machine, type Step } from './machine.ts';
import { type Ends, type Grace, graceOver, type LeaderRun, shutDown, stopLeader } from './stop/sigterm.ts';
import { whileStarting } from './while-starting.ts';

interface Run extends LeaderRun {
  readonly at: 'run';
  readonly deadlines: Deadlines;
  /**
   * Of FLUX_POD_IDLE_TIMEOUT: `watched` once the instance has run, `over` where it was idle for so long and shuts down for that, `past` where
   * it shuts down for another reason, such as the end of its program.
   */
  readonly idleTime?: 'watched' | 'over' | 'past' | undefined;
  /** The followers' agents know that the instance ends: the outcome follows. */
  readonly endAnnounced?: true | undefined;
}

export type Leader = (Ends & { readonly at: 'start-broker' }) | Run | { readonly at: 'exit' };

/** What waits until the broker is on its way. */
const begin: readonly Command[] = [
  { do: 'start services' },
  { do: 'watch mounts' },
  { do: 'accept child links' },
];

export interface LeaderLimits extends Grace {
  /** FLUX_POD_IDLE_TIMEOUT, in seconds; undefined for none. */
  readonly idleTimeout?: number | undefined;
}

export const leader = (limits: LeaderLimits): Machine<Leader> => ({
  first: () => ({ state: { at: 'start-broker' }, commands: [{ do: 'start broker' }] }),
  next: (state, event, now) => {
    if (state.at === 'exit') return { state, commands: [] };
    if (state.at === 'run') return running(state, event, now, limits);
    const { stoppedBy: _, ...asked } = state;
    const run: Run = { ...asked, at: 'run', deadlines: {} };
    return whileStarting<typeof state, Leader>(state, event, {
      run: () => ({ state: run, commands: begin }),
      stop: (signal) => after(begin, stopLeader(run, signal, now, limits)),
      exit,
    });
  },
  deadlinesOf: (state) => (state.at === 'run' ? state.deadlines : {}),
});

function running(run: Run, event: Event, now: Instant, limits: LeaderLimits): Step<Leader> {
  const { stoppedBy, failure } = run;
  switch (event.kind) {
    case 'signal':
      return stopLeader(run, event.signal, now, limits);
    case 'deadline':
      return { state: { ...run, deadlines: {} }, commands: graceOver(limits) };
    case 'broker state':
      return entered(run, event.state, limits);
    case 'idle':
      if (stoppedBy || failure || run.idleTime !== 'watched') return { state: run, commands: [] };
      return shutDown<Run>({ ...run, idleTime: 'over' }, now, limits);
    case 'failed':
      return { state: { ...run, failure: failure ?? event.outcome }, commands: [{ do: 'kill broker' }] };
    case 'broker exited':
      if (failure) return exit(failure);
      // The followers of a leader that was stopped wait for its replacement, unless they are stopped as well.
      if (stoppedBy) return exit(stoppedOutcome(stoppedBy), true);
      if (event.failure) return announceAndExit(event.failure);
      if (run.idleTime === 'over' && hasIdleTimeout(limits))
        return announceAndExit(idleOutcome(limits.idleTimeout));
      return announceAndExit(leaderOutcome(event.ending));
    default:
      return { state: run, commands: [] };
  }
}

/** A connection to the broker begins with the state that it is in: that may be `run` again. */
function entered(run: Run, state: BrokerState, limits: LeaderLimits): Step<Leader> {
  if (state === 'cleanup' || state === 'shutdown') return ending(run);
  if (run.idleTime || state !== 'run' || !hasIdleTimeout(limits)) return { state: run, commands: [] };
  return {
    state: { ...run, idleTime: 'watched' },
    commands: [{ do: 'watch idle', seconds: limits.idleTimeout }],
  };
}

/** The followers' brokers are shut down, and the outcome follows when the slowest of them has exited. A leader that is stopped has none for them. */
function ending(run: Run): Step<Leader> {
  const past: Run = run.idleTime === 'watched' ? { ...run, idleTime: 'past' } : run;
  if (run.endAnnounced || run.stoppedBy || run.failure) return { state: past, commands: [] };
  return {
    state: { ...past, endAnnounced: true },
    commands: [{ do: 'announce', message: { kind: 'ending' } }],
  };
}

const hasIdleTimeout = (limits: LeaderLimits): limits is LeaderLimits & { readonly idleTimeout: number } =>
  limits.idleTimeout !== undefined && limits.idleTimeout !== Number.POSITIVE_INFINITY;

const announceAndExit = (outcome: Outcome): Step<Leader> => {
  const { code, sentence } = outcome;
  return after([{ do: 'announce', message: { kind: 'outcome', code, sentence } }], exit(outcome, true));
};
