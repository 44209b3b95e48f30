import { writeSync } from 'node:fs';
import { ExitCode, messageOf, PodError } from '../../agent/errors.ts';
import { printableLines } from '../../agent/printable.ts';

/** Writes what went wrong to stderr. Returns the exit code for it. */
export function report(error: unknown): number {
  if (error instanceof PodError) {
    const hint = error.hint === undefined ? '' : `${error.hint}\n`;
    writeSync(2, printableLines(`flux-pod: ${error.message}\n${hint}`));
    return error.exitCode;
  }
  process.stderr.write(
    `flux-pod: internal error: ${error instanceof Error ? error.stack : messageOf(error)}\n`,
  );
  return ExitCode.internal;
}

/** A reader that goes away, such as `head`, is no error of ours, and must not leave a demo's pods behind. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
