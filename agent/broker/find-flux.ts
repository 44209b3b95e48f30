import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ExitCode, PodError } from '../errors.ts';
import { type ViewVariable, viewPaths, viewVariables } from './view-paths.ts';

/** Searched after PATH: Flux's default prefix, the Flux Operator's mounted view, the distributions. */
const usualDirectories = ['/opt/flux/bin', '/mnt/flux/view/bin', '/usr/local/bin', '/usr/bin'];

/**
 * Finds the `flux` to run: `configured` (FLUX_POD_FLUX: the executable, or its prefix or bin directory) or else the
 * first on PATH or in the usual directories. Returns its absolute path. Throws a PodError (exit 72) where there is none.
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
 * The environment for the broker and its children. `flux` is on PATH, last, so that the image's own programs win. Of a view also its Python
 * packages, modules and rc scripts are listed; a Flux in its own prefix finds them itself, and so does an interpreter. A variable of Flux
 * that is set and empty stays empty: the user excludes that part of the view.
 */
export function environmentFor(flux: string, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const prefix = join(dirname(flux), '..');
  const extended = variablesFor(flux, prefix)
    .filter((name) => !isExcluded(name, environment))
    .flatMap((name) => {
      const found =
        name === 'PATH' ? [dirname(flux)] : viewPaths[name].flatMap((path) => directories(prefix, path));
      const before = (environment[name] ?? '').split(':').filter((part) => part !== '');
      const value = [...new Set([...before, ...found])].join(':');
      return found.length > 0 ? [[name, value] as const] : [];
    });
  return { ...environment, ...Object.fromEntries(extended) };
}

const isExcluded = (name: ViewVariable, environment: NodeJS.ProcessEnv): boolean =>
  name.startsWith('FLUX_') && environment[name] === '';

/** The Operator copies a view here: a Flux in this prefix is part of a view, though its files are no links. */
const viewPrefix = '/mnt/flux/view';

/** The variables without which files of the prefix are not found. */
function variablesFor(flux: string, prefix: string): readonly ViewVariable[] {
  if (prefix === '/usr' || prefix === '/usr/local') return ['PATH'];
  if (prefix === viewPrefix || !livesIn(prefix, flux)) return viewVariables;
  return livesIn(prefix, join(prefix, 'bin/python3')) ? ['PATH'] : ['PATH', 'PYTHONPATH'];
}

/** Whether a file is there and no link to another prefix, as the files of a view are (/opt/software/...). */
function livesIn(prefix: string, path: string): boolean {
  try {
    return realpathSync.native(path).startsWith(`${realpathSync.native(prefix)}/`);
  } catch {
    return false;
  }
}

/** The directories below `prefix` that `path` of the table stands for. */
function directories(prefix: string, path: string): string[] {
  const [start = '', end] = path.split('*');
  const within = join(prefix, dirname(start));
  const names =
    end === undefined ? [basename(path)] : namesIn(within).filter((name) => name.startsWith(basename(start)));
  return names.map((name) => join(within, name, end ?? '')).filter(isDirectory);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
