/** The signals that a pod is sent, and where they go. */
import type { Observations } from '../health/observations.ts';

/** What takes signals while a broker runs. */
export interface Target {
  /** The process id of the leader's program, while it runs. */
  readonly program: () => number | undefined;
  /** To the broker itself: what it makes of it is its own business. */
  readonly pass: (signal: NodeJS.Signals) => void;
}

/** They go to the program, which may have a use for them; where there is none, they ask for an end. */
const forTheProgram = ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/** They go to the program, or to nobody. */
const users = ['SIGUSR1', 'SIGUSR2'] as const;

export interface Signals {
  /** Aborted by the first signal that asks for an end. */
  readonly stop: AbortSignal;
  /** That signal. It decides the exit code. */
  readonly stoppedBy: () => NodeJS.Signals | undefined;
  /** From now on each signal that asks for an end goes to the listener; at once where one has come before. */
  readonly onStop: (listener: (signal: NodeJS.Signals) => void) => void;
  /** From now on the other signals go there. */
  readonly forwardTo: (target: Target | undefined) => void;
}

/**
 * Takes over the process's signals. With a `terminal`, Ctrl-C and Ctrl-\ already reach the broker's process group from
 * the terminal itself, and a second copy would make the broker cut its clean-up short.
 */
export function handleSignals(terminal: boolean, observations: Pick<Observations, 'stoppedBy'>): Signals {
  const controller = new AbortController();
  let target: Target | undefined;
  let onStop = (_: NodeJS.Signals) => {};

  const end = (signal: NodeJS.Signals) => {
    observations.stoppedBy ??= signal;
    onStop(signal);
    controller.abort(new Error(`stopped by ${signal}`));
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  for (const signal of forTheProgram) {
    process.on(signal, () => {
      if (target && terminal && signal !== 'SIGHUP') return;
      if (!tell(target?.program(), signal)) end(signal);
    });
  }
  for (const signal of users) {
    process.on(signal, () => {
      if (!tell(target?.program(), signal)) target?.pass(signal);
    });
  }
  return {
    stop: controller.signal,
    stoppedBy: () => observations.stoppedBy,
    onStop: (listener) => {
      onStop = listener;
      if (observations.stoppedBy) listener(observations.stoppedBy);
    },
    forwardTo: (next) => {
      target = next;
    },
  };
}

/** Whether there was a process to tell. */
function tell(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
