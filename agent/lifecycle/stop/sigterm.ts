/**
 * What SIGTERM, or another signal that asks for the exit, does to a pod whose broker runs, within the grace period. To all pods: the leader
 * shuts down the instance, and the followers wait for that. To one follower: it leaves alone. Pure: a part of leader.ts and follower/follower.ts.
 */
import type { Instant } from '../../clock.ts';
import type { Outcome } from '../exit/outcome.ts';
import { type Command, type Deadlines, due, notDue, type Step } from '../machine.ts';

/** Why a pod exits. */
export interface Ends {
  /** The first signal that asked for the exit. It decides the exit code. */
  readonly stoppedBy?: NodeJS.Signals | undefined;
  /** The error that the agent cannot go on with. */
  readonly failure?: Outcome | undefined;
}

export interface Grace {
  /** FLUX_POD_GRACE, in seconds. */
  readonly grace: number;
}

export interface LeaderRun extends Ends {
  readonly deadlines: Deadlines;
}

export interface FollowerRun extends LeaderRun {
  /** The parent has announced that it stops. */
  readonly parentStops: boolean;
}

/** A parent that receives SIGTERM as well, because the Job is deleted, announces that within this time. */
const parentStopsWithinMs = 500;
/** A broker leaves in less than a second. Where its parent is lost, it would wait a minute for the goodbye. */
const leaveMs = 5000;

/**
 * The broker hangs up the program, cancels jobs, saves its state, and shuts down the followers' brokers. Their agents receive the announcement at once. A
 * further signal cuts the broker's clean-up short.
 */
export function stopLeader<Run extends LeaderRun>(
  run: Run,
  signal: NodeJS.Signals,
  now: Instant,
  grace: Grace,
): Step<Run> {
  if (run.stoppedBy) return { state: run, commands: [terminate] };
  return {
    state: due({ ...run, stoppedBy: signal }, 'grace', graceUntil(grace, now)),
    commands: [{ do: 'announce', message: { kind: 'stopping', signal } }, terminate],
  };
}

const terminate: Command = { do: 'signal broker', signal: 'SIGTERM' };

/** The same for a reason of the leader's own: the followers' agents await the outcome. */
export const shutDown = <Run extends LeaderRun>(run: Run, now: Instant, grace: Grace): Step<Run> => ({
  state: due(run, 'grace', graceUntil(grace, now)),
  commands: [terminate],
});

/** A follower takes no new jobs. What follows depends on whether its parent stops as well. A further signal is the broker's. */
export function stopFollower<Run extends FollowerRun>(
  run: Run,
  signal: NodeJS.Signals,
  now: Instant,
  grace: Grace,
): Step<Run> {
  if (run.stoppedBy) return { state: run, commands: [{ do: 'signal broker', signal }] };
  return {
    state: due({ ...run, stoppedBy: signal }, 'grace', graceUntil(grace, now)),
    commands: [{ do: 'drain' }],
  };
}

export const drained = <Run extends FollowerRun>(run: Run, now: Instant): Step<Run> => ({
  state: run.parentStops ? run : due(run, 'parent stops', now + parentStopsWithinMs),
  commands: [],
});

/** The parent's broker shuts down this pod's. */
export const parentStops = <Run extends FollowerRun>(run: Run): Step<Run> => ({
  state: notDue({ ...run, parentStops: true }, 'parent stops'),
  commands: [],
});

/** The parent goes on: this pod leaves alone. Its children's brokers are shut down with its own, and their agents await the next. */
export const leaveAlone = <Run extends FollowerRun>(run: Run, now: Instant): Step<Run> => ({
  state: due(run, 'leave', now + leaveMs),
  commands: [
    { do: 'announce', message: { kind: 'stopping', signal: run.stoppedBy ?? 'SIGTERM' } },
    { do: 'signal broker', signal: 'SIGTERM' },
  ],
});

const graceUntil = ({ grace }: Grace, now: Instant): Instant => now + grace * 1000;

export const graceOver = ({ grace }: Grace): readonly Command[] => [
  {
    do: 'log',
    level: 'warn',
    sentence: `The stop took longer than FLUX_POD_GRACE, ${grace} s: the broker is killed`,
  },
  { do: 'kill broker' },
];
