import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { findFlux } from '../../../agent/broker/find-flux.ts';
import type { Bed, PodSpec } from '../bed/bed.ts';
import type { Pod } from '../bed/pod.ts';
import type { Mount } from '../bed/pod-root.ts';

/** A Flux to test against. */
export interface Flux {
  readonly name: string;
  /** In a pod. */
  readonly path: string;
  /** On this machine. */
  readonly onHost: string;
  readonly real: boolean;
}

/** Where a pod has flux-pod, and this machine the files of it. */
const inPod = '/opt/flux-pod';
const onHost = join(import.meta.dirname, '../../../dist/image');

export const standInFlux: Flux = {
  name: 'the stand-in',
  path: join(inPod, 'bin/flux'),
  onHost: join(onHost, 'bin/flux'),
  real: false,
};

/** The real Flux on PATH or in /opt/flux, if there is one. */
export function realFlux(): Flux | undefined {
  try {
    const path = realpathSync(findFlux(undefined, process.env.PATH ?? ''));
    return { name: 'real Flux', path, onHost: path, real: true };
  } catch {
    return undefined;
  }
}

/** What a pod has beside /usr and /etc. A Flux has its prefix compiled in: it stays at its path. */
export function imageMounts(): readonly Mount[] {
  mkdirSync(onHost, { recursive: true });
  const flux = realFlux();
  const prefix = flux === undefined ? '/usr' : dirname(dirname(flux.path));
  const mounts: Mount[] = [{ from: onHost, to: inPod, mode: 'ro' }];
  if (!/^\/usr(\/|$)/.test(prefix)) mounts.push({ from: prefix, to: prefix, mode: 'ro' });
  return mounts;
}

/** Every Flux to test against: the stand-in always, the real one where there is one, else a loud word about it. */
export function everyFlux(): Flux[] {
  const real = realFlux();
  if (!real) {
    console.warn(
      'SKIPPED against real Flux: there is no flux on PATH or in /opt/flux/bin. Install flux-core there and run the tests again.',
    );
  }
  installFluxPod();
  return real ? [standInFlux, real] : [standInFlux];
}

/** The Flux for what one of them is enough: the real one where there is one. */
export function firstChoice(): Flux {
  const all = everyFlux();
  return all.at(-1) ?? standInFlux;
}

/** Whether this is the Flux with which to try what takes long and hardly depends on it: the real one where there is one. */
export const isFirstChoice = (flux: Flux): boolean => flux.real || realFlux() === undefined;

/**
 * Lays flux-pod out as in an image: launcher, bundle and Node.js in one directory. Returns where a pod has it; `npm run build` has
 * made what it copies.
 */
export function installFluxPod(): string {
  installOnHost();
  return inPod;
}

/** The same, for what runs on this machine without a pod. */
export function installOnHost(): string {
  installed ??= install();
  return installed;
}
let installed: string | undefined;

/** Each file appears whole: another runner's pods may be executing the one that it replaces. */
function install(): string {
  for (const directory of ['bin', 'chunks']) mkdirSync(join(onHost, directory), { recursive: true });
  const put = (file: string, make: (path: string) => void) => {
    // Beside the files, not among the chunks: `flux-pod install` copies those, whatever they are called.
    const scratch = join(onHost, `${process.pid}.new`);
    make(scratch);
    renameSync(scratch, join(onHost, file));
    // Two links of one file: then rename(2) does nothing.
    rmSync(scratch, { force: true });
  };
  const chunks = readdirSync(join(onHost, '../chunks')).map((chunk) => `chunks/${chunk}`);
  for (const file of [...chunks, 'flux-pod', 'flux-pod.cjs', 'cached.cjs', 'flux-pod.cache'])
    put(file, (path) => copyFileSync(join(onHost, '..', file), path));
  put('node', (path) => linkOrCopy(process.execPath, path));
  // Beside the stand-in, not beside flux-pod: an image has none.
  put('bin/demo.cjs', (path) => copyFileSync(join(onHost, '../demo.cjs'), path));
  put('bin/flux', (path) => {
    writeFileSync(
      path,
      `#!/bin/sh\nhere=\${0%/*}\nexec "$here/../node" "$here/demo.cjs" stand-in-flux "$@"\n`,
    );
    chmodSync(path, 0o755);
  });
  accessSync(join(onHost, 'flux-pod'), constants.X_OK);
  return onHost;
}

/** A symbolic link would lead out of the pod; a copy of 120 MB is for a Node.js on another file system. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

export interface MiniClusterSpec {
  readonly size: number;
  readonly command: readonly string[];
  readonly flux: Flux;
  readonly cluster?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** False: none are run. See withoutJobs. */
  readonly jobs?: boolean;
  /** How often rank 0 sends a heartbeat, with `jobs: false`; default 2s. */
  readonly heartbeat?: string;
  /** Further properties of each pod. */
  readonly pod?: (index: number) => Partial<PodSpec>;
}

export const certificateMount = '/etc/flux-pod/curve/curve.cert';

/** Starts the pods of a MiniCluster as the Job controller would: only the size is set, and a Secret is mounted. */
export function startMiniCluster(bed: Bed, spec: MiniClusterSpec): Pod[] {
  const startPod = miniCluster(bed, spec);
  return Array.from({ length: spec.size }, (_, index) => startPod(index));
}

/** A function that starts a pod of a MiniCluster, also in the place of one that has exited. */
export function miniCluster(
  bed: Bed,
  { size, command, flux, cluster = 'mc', env = {}, jobs = true, heartbeat = '2s', pod }: MiniClusterSpec,
): (index: number) => Pod {
  const broker = jobs ? { env: {}, mounts: {} } : withoutJobs(flux, heartbeat);
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
        ...broker.env,
        ...env,
        ...special.env,
      },
      mounts: {
        [certificateMount]: { content: certificate, mode: 0o400 },
        ...broker.mounts,
        ...special.mounts,
      },
    });
  };
}

/** Four commands in Python less when the program has ended, half the CPU time of rank 0 (flux-core etc/modprobe/rc1.py, push-cleanup). */
export const withoutCleanup = { FLUX_DISABLE_JOB_CLEANUP: '1' };

const [rc1, rc3] = ['/etc/rc1-without-jobs', '/etc/rc3-without-jobs'];

/**
 * The same brokers, but of Flux's modules rc1 loads the heartbeat only: 0.1 s of CPU time a pod. All that jobs need takes a second, and
 * three seconds on rank 0 (flux-core etc/modprobe/rc1.py, rc3.py: Python, and four commands when the program has ended).
 */
function withoutJobs({ real }: Flux, heartbeat: string): Required<Pick<PodSpec, 'env' | 'mounts'>> {
  if (!real) return { env: { FLUX_POD_BROKER_OPTIONS: `-Sheartbeat-period=${heartbeat}` }, mounts: {} };
  return {
    env: { FLUX_POD_BROKER_OPTIONS: `-Sbroker.rc1_path=${rc1} -Sbroker.rc3_path=${rc3}` },
    mounts: {
      [rc1]: {
        content: `#!/bin/sh\nexec flux module load heartbeat period=${heartbeat}\n`,
        mode: 0o755,
      },
      // A module that is left makes the broker exit with 1.
      [rc3]: { content: '#!/bin/sh\nexec flux module remove heartbeat\n', mode: 0o755 },
    },
  };
}

/** What all pods wrote, for the message of a failing test. */
export const logsOf = (pods: readonly Pod[]): string =>
  pods.map((pod) => `--- ${pod.name}\n${pod.stdout}\n${pod.stderr}`).join('\n');

/** The exit codes of all pods, in the order of their indexes. */
export const exitCodes = async (pods: readonly Pod[]): Promise<number[]> =>
  (await Promise.all(pods.map((pod) => pod.exited))).map(({ code }) => code);
