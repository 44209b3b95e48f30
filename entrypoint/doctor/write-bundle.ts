/** Where a bundle goes: the first of the places that takes it. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { writePrivate } from '../../agent/broker/run-directory.ts';
import { PodError } from '../../agent/errors.ts';

const name = 'flux-pod-bundle.txt';

/** In a container the working directory is most often `/`, and only /dev/shm can be written where the root file system cannot. */
export const usualBundles = (): string[] =>
  [process.cwd(), tmpdir(), '/dev/shm'].map((place) => resolve(place, name));

/** Resolves to the path that was written. Throws the PodError (exit 78) of the last one where none can be. */
export function writeBundle(bundle: string, [path = name, ...others]: readonly string[]): string {
  try {
    writePrivate(path, bundle, '`--bundle -` writes to stdout, `--bundle FILE` to FILE.');
    return path;
  } catch (error) {
    if (!(error instanceof PodError) || others.length === 0) throw error;
    return writeBundle(bundle, others);
  }
}
