import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { ExitCode, errnoOf, messageOf, PodError } from '../../../agent/errors.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import type { ParsedArguments } from '../../command-line/arguments.ts';
import type { Verb } from '../verb.ts';

/**
 * In the order in which they are put in place: where the launcher exists, all that it needs exists. The cache is removed before its program is
 * replaced and is put in place after it, because V8 distinguishes the cache of another program only by the length of its source.
 * Chunks come before all: their names say which program they belong to, and the ones of a program that still runs stay.
 */
const programFiles: readonly string[] = [
  'cached.cjs',
  'make-cache.sh',
  'flux-pod.cjs',
  'flux-pod.cache',
  'flux-pod',
];
const neededFiles: readonly string[] = ['cached.cjs', 'flux-pod.cjs', 'flux-pod'];
const directories: readonly string[] = ['chunks', 'lib', 'licenses'];
const executables: readonly string[] = ['flux-pod', 'node'];

/**
 * `flux-pod install DIR`: copies flux-pod and the Node.js that runs it into DIR, from where images without Node.js run it.
 * Everything is copied beside its place first and then renamed, so that nothing half-copied is ever executed, and an
 * installation that is in use can be replaced.
 */
export const install: Verb = {
  forms: { DIR: 'copies itself and its Node.js, for images that have none' },
  flags: {},
  takes: 1,
  examples: ['flux-pod install /mnt/flux-pod'],
  more: 'DIR is a volume of the containers that need flux-pod; they then run DIR/flux-pod.\n',
  run: installInto,
};

async function installInto({ positionals }: ParsedArguments): Promise<number> {
  const [directory] = positionals;
  if (!directory) {
    throw new PodError(ExitCode.usage, 'Cannot install flux-pod: give the directory to install it into', {
      hint: '`flux-pod install /mnt/flux-pod`.',
    });
  }
  const sources = installedFiles(dirname(process.argv[1] ?? ''));
  try {
    checkDirectory(directory);
    removeLeftovers(directory);
    const staging = mkdtempSync(join(directory, stagingPrefix));
    try {
      for (const [name, source] of sources) stage(source, join(staging, name));
      if (!isExecutable(join(staging, 'flux-pod'))) {
        throw cannotInstall(directory, 'it is mounted with noexec: nothing in it can be executed');
      }
      if (!cacheIsAccepted()) remakeCache(staging);
      for (const name of inOrder(readNames(staging))) putInPlace(staging, directory, name);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  } catch (error) {
    throw error instanceof PodError ? error : cannotInstall(directory, reasonOf(error, sources), error);
  }
  process.stdout.write(`flux-pod ${packageJson.version} is in ${directory}\n`);
  return 0;
}

const stagingPrefix = '.flux-pod-';
const abandonedAfter = 60_000;

/** Removes the files of an installation that was killed. A fresh one may still be at work, where pods share a directory of their node. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(stagingPrefix)) continue;
    const left = statSync(join(directory, name), { throwIfNoEntry: false });
    if (left && Date.now() - left.mtimeMs > abandonedAfter)
      rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** Where each file comes from, by its place in the installation. */
function installedFiles(here: string): Map<string, string> {
  const present = readNames(here);
  const missing = neededFiles.find((name) => !present.includes(name));
  if (missing) {
    throw new PodError(ExitCode.configuration, `Cannot install flux-pod: ${here} has no ${missing}`, {
      hint: 'Run the flux-pod of an image, or that of `npm run build`.',
    });
  }
  // Only the Node.js of an image has its libraries beside it; any other finds the system's.
  const withNode = dirname(process.execPath) === here ? /^(chunks|lib|licenses)\// : /^(chunks|licenses)\//;
  const names = present.filter((name) => withNode.test(name) || programFiles.includes(name));
  return new Map([...names.map((name) => [name, join(here, name)] as const), ['node', process.execPath]]);
}

/** The files of an installation, one directory deep. */
const readNames = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && directories.includes(entry.name)
      ? readdirSync(join(directory, entry.name)).map((name) => `${entry.name}/${name}`)
      : entry.isDirectory()
        ? []
        : [entry.name],
  );

const inOrder = (names: readonly string[]): string[] => {
  const place = (name: string) => programFiles.indexOf(name);
  return [...names].sort((a, b) => place(a) - place(b));
};

/** A directory that does not exist is no volume, so that no other container would find the files. */
function checkDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (!found) throw cannotInstall(directory, 'there is no such directory');
  if (!found.isDirectory()) throw cannotInstall(directory, 'it is no directory');
}

function stage(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  copyFileSync(source, target, constants.COPYFILE_FICLONE);
  chmodSync(target, executables.includes(basename(target)) ? 0o755 : 0o644);
}

function putInPlace(staging: string, directory: string, name: string): void {
  const target = join(directory, name);
  if (name.includes('/')) {
    mkdirSync(dirname(target), { recursive: true });
    chmodSync(dirname(target), 0o755);
  }
  if (name === 'flux-pod.cjs') rmSync(join(directory, 'flux-pod.cache'), { force: true });
  renameSync(join(staging, name), target);
}

/** Whether this very Node.js has accepted the code cache: cached.cjs, which starts this program, exports that. */
function cacheIsAccepted(): boolean {
  const program = process.argv[1] ?? '';
  return basename(program) === 'cached.cjs' && createRequire(program)(program).cacheAccepted === true;
}

/** Without a cache flux-pod works as well, and starts a little slower. */
function remakeCache(staging: string): void {
  const made = spawnSync('sh', [join(staging, 'make-cache.sh'), staging, join(staging, 'node')], {
    stdio: 'ignore',
  });
  if (made.status === 0) return;
  rmSync(join(staging, 'flux-pod.cache'), { force: true });
  process.stderr.write('warning: no code cache could be made: flux-pod starts more slowly\n');
}

/** access(2) denies execution for every file of a file system that is mounted with noexec. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const cannotInstall = (directory: string, reason: string, cause?: unknown): PodError =>
  new PodError(ExitCode.configuration, `Cannot install flux-pod into ${directory}: ${reason}`, {
    hint: 'Mount a writable volume there, which the containers that need flux-pod mount too.',
    cause,
  });

function reasonOf(error: unknown, sources: ReadonlyMap<string, string>): string {
  const needed = () => {
    const bytes = [...sources.values()].reduce((sum, source) => sum + statSync(source).size, 0);
    return `flux-pod needs ${Math.ceil(bytes / 2 ** 20)} MiB there`;
  };
  switch (errnoOf(error)) {
    case 'ENOSPC':
      return `the disk is full, and ${needed()}`;
    case 'EDQUOT':
      return `the quota is used up, and ${needed()}`;
    case 'EROFS':
      return 'it is read-only';
    case 'EACCES':
    case 'EPERM':
      return `user ${process.getuid?.()} cannot write there`;
    default:
      return messageOf(error);
  }
}
