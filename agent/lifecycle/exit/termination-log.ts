import { existsSync, writeFileSync } from 'node:fs';
import { PodError } from '../../errors.ts';
import { printableLines } from '../../printable.ts';
import type { Outcome } from './outcome.ts';

/** Where the kubelet reads the reason of a container's exit, at most 4096 bytes (terminationMessagePath). */
const kubeletsPath = '/dev/termination-log';

export function writeTerminationLog({ code, sentence }: Outcome, path = kubeletsPath): void {
  if (!existsSync(path)) return;
  try {
    writeFileSync(path, `${printableLines(sentence)} (exit ${code})\n`.slice(0, 4096));
  } catch {
    // A termination log that cannot be written must not change the outcome.
  }
}

/** For a pod that fails before it has a log: the kubelet finds the reason all the same. */
export function lastWords(error: unknown, path = kubeletsPath): never {
  if (error instanceof PodError) writeTerminationLog({ code: error.exitCode, sentence: error.message }, path);
  throw error;
}
