import { existsSync, writeFileSync } from 'node:fs';
import { PodError } from '../../errors.ts';
import { printableLines } from '../../printable.ts';
import type { Outcome } from './outcome.ts';

/** Where the kubelet reads a container's last words, at most 4096 bytes (terminationMessagePath). */
const path = '/dev/termination-log';

export function writeTerminationLog({ code, sentence }: Outcome): void {
  if (!existsSync(path)) return;
  try {
    writeFileSync(path, `${printableLines(sentence)} (exit ${code})\n`.slice(0, 4096));
  } catch {
    // Only for people who look there: a log that cannot be written must not change the outcome.
  }
}

/** A pod that never gets as far as its log still says why it ended where the kubelet looks. */
export function lastWords(error: unknown): never {
  if (error instanceof PodError) writeTerminationLog({ code: error.exitCode, sentence: error.message });
  throw error;
}
