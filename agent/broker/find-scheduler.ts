import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The scheduler of the Flux at this path, where it is written in Python (since flux-core 0.84): the module that is written in C takes no other order by its configuration. */
export function findSchedSimple(flux: string): string | undefined {
  const prefixes = [...new Set([flux, realpathSync(flux)].map((path) => dirname(dirname(path))))];
  const directories = prefixes.flatMap((prefix) => [
    ...['lib', 'lib64'].map((name) => join(prefix, name)),
    // Debian's multiarch.
    ...namesIn(join(prefix, 'lib'))
      .filter((name) => name.endsWith('-linux-gnu'))
      .map((name) => join(prefix, 'lib', name)),
  ]);
  return directories
    .map((directory) => join(directory, 'flux/modules/sched-simple.py'))
    .find((path) => existsSync(path));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
