import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ExitCode, PodError } from '../../agent/errors.ts';

/** A bundle of its own beside this program, which not every installation has. Throws a PodError (exit 78) where it is missing. */
export function loadBundle<Bundle>(name: string, what: string, hint: string): Bundle {
  const here = dirname(process.argv[1] ?? '');
  const bundle = join(here, name);
  if (!existsSync(bundle))
    throw new PodError(
      ExitCode.configuration,
      `Cannot run the ${what}: it is not part of this installation, ${here} has no ${name}`,
      { hint },
    );
  return createRequire(bundle)(bundle) as Bundle;
}
