import type { Ending } from '../../broker/process/broker-process.ts';
import { ExitCode, messageOf, PodError, signalCode } from '../../errors.ts';
import type { Signals } from '../stop/signals.ts';

/** How the pod ends: its exit code, and the sentence for the termination log. */
export interface Outcome {
  readonly code: number;
  readonly sentence: string;
  /** More for the log: a hint, or where an internal error came from. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The leader ends as its program did; the broker passes the program's code on, 128+N for a signal. */
export function leaderOutcome(ending: Ending): Outcome {
  if (ending.signal) return { code: ending.code, sentence: `The broker was ended by ${ending.signal}` };
  if (ending.code === 0) return { code: 0, sentence: 'The program has ended with 0' };
  return { code: ending.code, sentence: `The program has ended with ${ending.code}${explain(ending.code)}` };
}

/** All pods of an instance end with the outcome of its leader, so that a Job retries or completes as a whole. */
export const announcedOutcome = ({ code, sentence }: Outcome): Outcome => ({
  code,
  sentence: `The instance has ended. Its leader: ${sentence}`,
});

export const unknownOutcome = (why: string, code: number = ExitCode.peersUnavailable): Outcome => ({
  code,
  sentence: `The instance has ended; how, is not known: ${why}`,
});

/** An orderly stop ends with 128+N, so that 143 tells a deleted pod from a failed program. */
export const stoppedOutcome = (signal: NodeJS.Signals): Outcome => ({
  code: signalCode(signal),
  sentence: `Stopped by ${signal}`,
});

/** How a life ends that an error has broken off: by the signal that asked for the end, where that was it. */
export function brokenOff(error: unknown, { stop, stoppedBy }: Signals): Outcome {
  const signal = stoppedBy();
  return signal && error === stop.reason ? stoppedOutcome(signal) : failedOutcome(error);
}

/** What stopped the start: with its own code where it was foreseen, else as an internal error. */
export function failedOutcome(error: unknown): Outcome {
  if (error instanceof PodError) {
    const facts = error.hint === undefined ? {} : { hint: error.hint };
    return { code: error.exitCode, sentence: error.message, facts };
  }
  const stack = error instanceof Error ? error.stack : String(error);
  return { code: ExitCode.internal, sentence: messageOf(error), facts: { stack } };
}

function explain(code: number): string {
  // A shell, and `flux run`, pass on what became of a command of theirs: only their output tells which it was.
  if (code === 127) return ': a command was not found, COMMAND itself or one that it ran';
  if (code === 126) return ': a command is not executable, COMMAND itself or one that it ran';
  return code > 128 && code < 160 ? `: signal ${code - 128} ended it` : '';
}
