/** The signals that the agent receives, and which process they go to. */
import type { PodStateWriter } from '../../health/pod-state.ts';

/** What takes signals while a broker runs. */
export interface Target {
  /** The process id of the leader's program, while it runs. */
  readonly program: () => number | undefined;
  /** To the broker itself. */
  readonly pass: (signal: NodeJS.Signals) => void;
}

/** They go to the program, which may handle them; where none runs, they ask for the exit. */
const forTheProgram = ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/** They go to the program, else to the broker. */
const users = ['SIGUSR1', 'SIGUSR2'] as const;

export interface Signals {
  /** Aborted by the first signal that asks for the exit. */
  readonly stop: AbortSignal;
  /** That signal. It decides the exit code. */
  readonly stoppedBy: () => NodeJS.Signals | undefined;
  /** From now on each signal that asks for the exit goes to the listener; at once where one has been received before. */
  readonly onStop: (listener: (signal: NodeJS.Signals) => void) => void;
  /** From now on the other signals go there. */
  readonly forwardTo: (target: Target | undefined) => void;
}

/** Where signals are received, and how they are sent. */
export type SignalProcess = Pick<NodeJS.Process, 'kill'> & {
  readonly on: (signal: NodeJS.Signals, listener: () => void) => unknown;
};

/**
 * Handles the signals of `own`, this process. With a `terminal`, Ctrl-C and Ctrl-\ already reach the broker's process group from
 * the terminal itself, and a second copy would make the broker cut its clean-up short.
 */
export function handleSignals(
  terminal: boolean,
  podState: PodStateWriter,
  own: SignalProcess = process,
): Signals {
  const controller = new AbortController();
  let target: Target | undefined;
  let stoppedBy: NodeJS.Signals | undefined;
  let onStop = (_: NodeJS.Signals) => {};

  const end = (signal: NodeJS.Signals) => {
    stoppedBy ??= signal;
    podState.set({ stoppedBy });
    onStop(signal);
    controller.abort(new Error(`stopped by ${signal}`));
  };
  own.on('SIGTERM', () => end('SIGTERM'));
  for (const signal of forTheProgram) {
    own.on(signal, () => {
      if (target && terminal && signal !== 'SIGHUP') return;
      if (!sent(own, target?.program(), signal)) end(signal);
    });
  }
  for (const signal of users) {
    own.on(signal, () => {
      if (!sent(own, target?.program(), signal)) target?.pass(signal);
    });
  }
  return {
    stop: controller.signal,
    stoppedBy: () => stoppedBy,
    onStop: (listener) => {
      onStop = listener;
      if (stoppedBy) listener(stoppedBy);
    },
    forwardTo: (next) => {
      target = next;
    },
  };
}

/** Whether the process was there to receive it. */
function sent({ kill }: SignalProcess, pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
