import type { Ending } from '../../broker/process/broker-process.ts';
import { ExitCode, messageOf, PodError, signalCode } from '../../errors.ts';
import type { Signals } from '../stop/signals.ts';

/** The outcome of a pod: its exit code, and the reason as a sentence for the termination log. */
export interface Outcome {
  readonly code: number;
  readonly sentence: string;
  /** More for the log: a hint, or the stack of an internal error. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The leader exits with the code of its program, which the broker passes on: 128+N for a signal. */
export function leaderOutcome(ending: Ending): Outcome {
  if (ending.signal) return { code: ending.code, sentence: `The broker was ended by ${ending.signal}` };
  if (ending.code === 0) return { code: 0, sentence: 'The program exited with code 0' };
  return {
    code: ending.code,
    sentence: `The program exited with code ${ending.code}${explain(ending.code)}`,
  };
}

/** The program was hung up, since the instance had nothing to do: that is no failure. */
export const idleOutcome = (seconds: number): Outcome => ({
  code: 0,
  sentence: `The instance had no active job for ${seconds} s (FLUX_POD_IDLE_TIMEOUT)`,
});

/** All pods of an instance exit with the outcome of its leader, so that a Job retries or completes as a whole. */
export const announcedOutcome = ({ code, sentence }: Outcome): Outcome => ({
  code,
  sentence: `The instance has ended. Its leader: ${sentence}`,
});

export const unknownOutcome = (why: string, code: number = ExitCode.peersUnavailable): Outcome => ({
  code,
  sentence: `The instance has ended, and its outcome is unknown: ${why}`,
});

/** An orderly stop exits with 128+N: 143 distinguishes a deleted pod from a failed program. */
export const stoppedOutcome = (signal: NodeJS.Signals): Outcome => ({
  code: signalCode(signal),
  sentence: `Stopped by ${signal}`,
});

/** The outcome of a pod that an error has ended: stopped, where the error is the signal's. */
export function brokenOff(error: unknown, { stop, stoppedBy }: Signals): Outcome {
  const signal = stoppedBy();
  return signal && error === stop.reason ? stoppedOutcome(signal) : failedOutcome(error);
}

/** The outcome of an error: with its own exit code, or as an internal error. */
export function failedOutcome(error: unknown): Outcome {
  if (error instanceof PodError) {
    const facts = error.hint === undefined ? {} : { hint: error.hint };
    return { code: error.exitCode, sentence: error.message, facts };
  }
  const stack = error instanceof Error ? error.stack : String(error);
  return { code: ExitCode.internal, sentence: messageOf(error), facts: { stack } };
}

function explain(code: number): string {
  // A shell, and `flux run`, pass on the exit code of a command of theirs: only their output shows which it was.
  if (code === 127) return ': a command was not found, COMMAND itself or one that it ran';
  if (code === 126) return ': a command is not executable, COMMAND itself or one that it ran';
  return code > 128 && code < 160 ? `: signal ${code - 128} ended it` : '';
}
