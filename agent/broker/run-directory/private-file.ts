/** Files and directories that belong to this user alone. */
import { accessSync, constants, existsSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExitCode, errnoOf, messageOf, PodError } from '../../errors.ts';

export const ownUid = process.getuid?.() ?? 0;

export const writableHint =
  'Set FLUX_POD_DIR to a directory that this user can write, such as the mount of an emptyDir.';

/** Why this user cannot write in a directory, or make it; undefined where it can. Found without writing. */
export function writeFault(path: string): string | undefined {
  const place = existsSync(path) ? path : dirname(path);
  if (place !== path && !existsSync(place)) return writeFault(place);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `user ${ownUid} cannot write in ${place} (${errnoOf(error)})`;
  }
}

/** Writes a file that only this user can read, atomically. Throws a PodError (exit 78) where it cannot. */
export function writePrivate(path: string, content: string, hint: string = writableHint): void {
  const unfinished = `${path}.new`;
  const write = () => writeFileSync(unfinished, content, { mode: 0o600, flag: 'wx' });
  try {
    try {
      write();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      unlinkSync(unfinished);
      write();
    }
    renameSync(unfinished, path);
  } catch (error) {
    throw new PodError(ExitCode.configuration, `Cannot write ${path}: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
}

/**
 * Makes a directory and its parents, private to this user. Node's own `recursive` never returns where mkdir(2) answers ENOENT
 * though the parent is there, as in /proc.
 */
export function makeDirectories(path: string): void {
  const parts = path.split('/').filter((part) => part !== '');
  for (const count of parts.keys()) {
    const directory = `/${parts.slice(0, count + 1).join('/')}`;
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  }
}
