import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { formatCertificate } from '../../agent/broker/curve.ts';
import { createCertificate } from '../../agent/broker/curve-keys.ts';
import { findFlux } from '../../agent/broker/find-flux.ts';
import type { Bed, PodSpec } from './bed.ts';
import type { Pod } from './pod.ts';

const root = join(import.meta.dirname, '../..');

/** A Flux to test against. */
export interface Flux {
  readonly name: string;
  readonly path: string;
  readonly real: boolean;
}

/** The real Flux on PATH or in /opt/flux, if there is one. */
export function realFlux(): Flux | undefined {
  try {
    return { name: 'real Flux', path: findFlux(undefined, process.env.PATH ?? ''), real: true };
  } catch {
    return undefined;
  }
}

/** Every Flux to test against: the stand-in always, the real one where there is one, else a loud word about it. */
export function everyFlux(): Flux[] {
  const real = realFlux();
  if (!real) {
    console.warn(
      'SKIPPED against real Flux: there is no flux on PATH or in /opt/flux/bin. Install flux-core there and run the tests again.',
    );
  }
  const standIn = { name: 'the stand-in', path: join(installFluxPod(), 'bin/flux'), real: false };
  return real ? [standIn, real] : [standIn];
}

/** Whether this is the Flux with which to try what takes long and hardly depends on it: the real one where there is one. */
export const isFirstChoice = (flux: Flux): boolean => flux.real || realFlux() === undefined;

/**
 * Lays flux-pod out as in an image: launcher, bundle and Node.js in one directory. Returns that directory; `npm run build` has
 * made what it copies.
 */
export function installFluxPod(): string {
  installed ??= install();
  return installed;
}
let installed: string | undefined;

/** Each file appears whole: another runner's pods may be executing the one that it replaces. */
function install(): string {
  const directory = join(root, 'dist/image');
  mkdirSync(join(directory, 'bin'), { recursive: true });
  const put = (file: string, make: (path: string) => void) => {
    const path = join(directory, file);
    make(`${path}.${process.pid}`);
    renameSync(`${path}.${process.pid}`, path);
  };
  for (const file of ['flux-pod', 'flux-pod.cjs', 'cached.cjs', 'flux-pod.cache'])
    put(file, (path) => copyFileSync(join(root, 'dist', file), path));
  put('node', (path) => symlinkSync(process.execPath, path));
  const standIn = `#!/bin/sh\nexec ${join(directory, 'node')} ${join(directory, 'flux-pod.cjs')} stand-in-flux "$@"\n`;
  put('bin/flux', (path) => {
    writeFileSync(path, standIn);
    chmodSync(path, 0o755);
  });
  accessSync(join(directory, 'flux-pod'), constants.X_OK);
  return directory;
}

export interface MiniClusterSpec {
  readonly size: number;
  readonly command: readonly string[];
  readonly flux: Flux;
  readonly cluster?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further properties of each pod. */
  readonly pod?: (index: number) => Partial<PodSpec>;
}

export const certificateMount = '/etc/flux-pod/curve/curve.cert';

/** Starts the pods of a MiniCluster as the Job controller would: only the size is set, and a Secret is mounted. */
export function startMiniCluster(bed: Bed, spec: MiniClusterSpec): Pod[] {
  const startPod = miniCluster(bed, spec);
  return Array.from({ length: spec.size }, (_, index) => startPod(index));
}

/** What starts a pod of a MiniCluster, also another one in the place of one that has gone. */
export function miniCluster(
  bed: Bed,
  { size, command, flux, cluster = 'mc', env = {}, pod }: MiniClusterSpec,
): (index: number) => Pod {
  const fluxPod = join(installFluxPod(), 'flux-pod');
  const certificate = formatCertificate(createCertificate({ name: cluster }));
  return (index) => {
    const special = pod?.(index) ?? {};
    return bed.startPod({
      cluster,
      index,
      command: [fluxPod, 'run', '--', ...command],
      ...special,
      env: {
        FLUX_POD_SIZE: String(size),
        // The real Flux is found by itself where it usually is.
        ...((!flux.real || !flux.path.startsWith('/opt/flux/')) && { FLUX_POD_FLUX: flux.path }),
        ...env,
        ...special.env,
      },
      mounts: { [certificateMount]: { content: certificate, mode: 0o400 }, ...special.mounts },
    });
  };
}

/** What all pods wrote, for the message of a failing test. */
export const logsOf = (pods: readonly Pod[]): string =>
  pods.map((pod) => `--- ${pod.name}\n${pod.stdout}\n${pod.stderr}`).join('\n');

/** The exit codes of all pods, in the order of their indexes. */
export const exitCodes = async (pods: readonly Pod[]): Promise<number[]> =>
  (await Promise.all(pods.map((pod) => pod.exited))).map(({ code }) => code);
