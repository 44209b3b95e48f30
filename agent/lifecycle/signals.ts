/** The signals that a pod is sent, and where they go: to the broker while there is one, else they end the wait. */
import type { BrokerProcess } from '../broker/process.ts';
import type { Observations } from '../health/observations.ts';

/** Those that ask for an end; the first one that comes decides the exit code. */
const ending = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/** Those that are the program's own business. */
const passing = ['SIGUSR1', 'SIGUSR2'] as const;

export interface Signals {
  /** Aborted by the first signal that asks for an end. */
  readonly stop: AbortSignal;
  /** That signal. */
  readonly stoppedBy: () => NodeJS.Signals | undefined;
  /** From now on signals go to this broker; one that asked for an end before is delivered at once. */
  readonly forwardTo: (broker: BrokerProcess | undefined) => void;
}

/**
 * Takes over the process's signals. With a `terminal`, Ctrl-C and Ctrl-\ already reach the broker's process group from
 * the terminal itself, and a second copy would make the broker cut its clean-up short.
 */
export function handleSignals(terminal: boolean, observations: Pick<Observations, 'stoppedBy'>): Signals {
  const controller = new AbortController();
  let broker: BrokerProcess | undefined;
  const fromTerminal = (signal: NodeJS.Signals) => terminal && (signal === 'SIGINT' || signal === 'SIGQUIT');
  for (const signal of ending) {
    process.on(signal, () => {
      if (broker && fromTerminal(signal)) return;
      observations.stoppedBy ??= signal;
      broker?.signal(signal);
      controller.abort(new Error(`stopped by ${signal}`));
    });
  }
  for (const signal of passing) process.on(signal, () => broker?.signal(signal));
  return {
    stop: controller.signal,
    stoppedBy: () => observations.stoppedBy,
    forwardTo: (target) => {
      broker = target;
      if (observations.stoppedBy) broker?.signal(observations.stoppedBy);
    },
  };
}
