import { mkdirSync } from 'node:fs';
import { ExitCode, errnoOf, messageOf, PodError } from '../../errors.ts';

/**
 * Makes the directory for Flux's `statedir` where it is missing: one that the broker makes itself it removes again when it exits in order
 * (flux-core src/broker/rundir.c, rundir_create()), and the queue with it. Throws a PodError (exit 78).
 */
export function makeStateDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw new PodError(
      ExitCode.configuration,
      `Cannot make the state directory ${path}: ${messageOf(error)}`,
      {
        hint: 'FLUX_POD_STATE_DIR names a directory in a volume that is mounted, and that this user may write in.',
        cause: error,
      },
    );
  }
}
