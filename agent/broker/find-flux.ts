import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ExitCode, PodError } from '../errors.ts';

/** Where Flux is looked for after PATH: its own default prefix, the Flux Operator's mounted view, the distributions. */
const usualDirectories = ['/opt/flux/bin', '/mnt/flux/view/bin', '/usr/local/bin', '/usr/bin'];

/**
 * Finds the `flux` to run: `configured` (FLUX_POD_FLUX: the executable, or its prefix or bin directory) or else the
 * first on PATH or in the usual places. Returns its absolute path. Throws a PodError (exit 72) where there is none.
 */
export function findFlux(
  configured: string | undefined,
  path: string,
  usual: readonly string[] = usualDirectories,
): string {
  const candidates =
    configured === undefined
      ? [...path.split(':').filter((directory) => directory.startsWith('/')), ...usual].map((directory) =>
          join(directory, 'flux'),
        )
      : [configured, join(configured, 'bin/flux'), join(configured, 'flux')];
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  if (configured !== undefined) {
    throw new PodError(
      ExitCode.noFlux,
      `Cannot use FLUX_POD_FLUX="${configured}": no executable flux is there`,
      {
        hint: 'Give the path of the flux command, or the prefix that it is installed in.',
      },
    );
  }
  throw new PodError(
    ExitCode.noFlux,
    `Cannot find flux: it is neither on PATH (${path}) nor in ${usual.join(', ')}`,
    { hint: 'Use an image that has flux-core, mount a flux view at /mnt/flux/view, or set FLUX_POD_FLUX.' },
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The environment for the broker and all that it starts: `flux` is on PATH (last, so that the image's own programs
 * win), and a mounted view brings its Python modules.
 */
export function environmentFor(flux: string, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const directory = dirname(flux);
  const path = (environment.PATH ?? '').split(':').filter((part) => part !== '');
  const packages = path.includes(directory) ? [] : sitePackages(join(directory, '../lib'));
  const pythonPath = [environment.PYTHONPATH, ...packages].filter((part) => part);
  return {
    ...environment,
    PATH: path.includes(directory) ? path.join(':') : [...path, directory].join(':'),
    ...(packages.length > 0 && { PYTHONPATH: pythonPath.join(':') }),
  };
}

/** The Python packages of a prefix that is not the system's: a view keeps flux's Python beside it. */
function sitePackages(library: string): string[] {
  if (library === '/usr/lib' || library === '/usr/local/lib') return [];
  try {
    return readdirSync(library)
      .filter((name) => /^python3(\.\d+)?$/.test(name))
      .map((name) => join(library, name, 'site-packages'));
  } catch {
    return [];
  }
}
