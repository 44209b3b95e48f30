/** The life of a leader's broker, as a state machine (machine.ts). A leader waits for no other pod, and its outcome is that of the instance. */
import type { Instant } from '../clock.ts';
import { idleOutcome, leaderOutcome, type Outcome, stoppedOutcome } from './exit/outcome.ts';
import { after, type Command, type Deadlines, type Event, exit, type Machine, type Step } from './machine.ts';
import { type Ends, type Grace, graceOver, type LeaderRun, shutDown, stopLeader } from './stop/sigterm.ts';
import { whileStarting } from './while-starting.ts';

interface Run extends LeaderRun {
  readonly at: 'run';
  readonly deadlines: Deadlines;
  /** The instance was idle for the time that FLUX_POD_IDLE_TIMEOUT says, and shuts down for that. */
  readonly isIdle?: boolean | undefined;
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
      if (event.state !== 'run' || !hasIdleTimeout(limits)) return { state: run, commands: [] };
      return { state: run, commands: [{ do: 'watch idle', seconds: limits.idleTimeout }] };
    case 'idle':
      if (stoppedBy || failure || run.isIdle) return { state: run, commands: [] };
      return shutDown({ ...run, isIdle: true }, now, limits);
    case 'failed':
      return { state: { ...run, failure: failure ?? event.outcome }, commands: [{ do: 'kill broker' }] };
    case 'broker exited':
      if (failure) return exit(failure);
      // The followers of a leader that was stopped wait for its replacement, unless they are stopped as well.
      if (stoppedBy) return exit(stoppedOutcome(stoppedBy), true);
      if (run.isIdle && hasIdleTimeout(limits)) return announceAndExit(idleOutcome(limits.idleTimeout));
      return announceAndExit(event.failure ?? leaderOutcome(event.ending));
    default:
      return { state: run, commands: [] };
  }
}

const hasIdleTimeout = (limits: LeaderLimits): limits is LeaderLimits & { readonly idleTimeout: number } =>
  limits.idleTimeout !== undefined && limits.idleTimeout !== Number.POSITIVE_INFINITY;

const announceAndExit = (outcome: Outcome): Step<Leader> => {
  const { code, sentence } = outcome;
  return after([{ do: 'announce', message: { kind: 'outcome', code, sentence } }], exit(outcome, true));
};
