/** The run-time directory of a pod: where it is, what is in it, and how it is made ready. */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { ExitCode, messageOf, PodError } from '../../errors.ts';
import type { BrokerPaths } from '../process/command-line.ts';
import { directoryFault } from './ownership.ts';
import { makeDirectories, ownUid, writableHint, writeFault, writePrivate } from './private-file.ts';

/** The files of one pod while it runs. */
export interface RunDirectory extends BrokerPaths {
  readonly path: string;
  readonly curveCert: string;
  readonly batchScript: string;
  /** A module of the leader's broker (../config/low-ranks.ts). */
  readonly scheduler: string;
  /** Where the agent itself answers `flux-pod status` and its like. */
  readonly agentSocket: string;
  /** What containers beside Flux may mount, to read: only the directory of the broker's socket is in it. */
  readonly mountable: string;
}

/** The directory unless configured: the first choice, and a private one where that is not writable. */
export interface UsualPlaces {
  readonly shared: string;
  readonly private: string;
  /**
   * For an agent that only observes. Every container can write in /dev/shm, whatever its root file system, but the containers of a pod
   * share it (containerd internal/cri/server, the sandbox's shm): it must not have a secret.
   */
  readonly observer: string;
}
export const usualPlaces: UsualPlaces = {
  shared: '/run/flux-pod',
  private: `/tmp/flux-pod-${ownUid}`,
  observer: `/dev/shm/flux-pod-${ownUid}`,
};
type PlacesOfAll = Pick<UsualPlaces, 'shared' | 'private'>;
/** sockaddr_un must have room for a socket's name below it (flux-core src/broker/rundir.c). */
const longestRunDirectory = 96;
const takenHint = 'Set FLUX_POD_DIR to another directory in each container.';
const servedHint =
  '`flux-pod status` asks it. A second agent needs another FLUX_POD_DIR and another FLUX_POD_HTTP.';

/**
 * Makes the run-time directory ready: `configured` (FLUX_POD_DIR), else /run/flux-pod, else, where that cannot be written or is not
 * this user's alone, a private directory in /tmp that every other `flux-pod` of this user finds as well. `skipped` is called with a
 * sentence where a directory exists and is not used. Files of an earlier broker are removed. Throws a PodError (exit 78) where it
 * cannot be used.
 */
export async function openRunDirectory(
  configured: string | undefined,
  skipped: (sentence: string) => void,
  places: PlacesOfAll = usualPlaces,
): Promise<RunDirectory> {
  if (configured !== undefined) return prepare(configured);
  return prepare(tryToMake(places.shared, skipped) ?? makePrivate(places.private));
}

/**
 * The same for an agent that only observes (`flux-pod attach`): where none can be used it has no directory, and `skipped` is called with
 * each reason. Throws a PodError (exit 78) where another agent serves already.
 */
export async function openObserverDirectory(
  configured: string | undefined,
  skipped: (sentence: string) => void,
  places: UsualPlaces = usualPlaces,
): Promise<RunDirectory | undefined> {
  try {
    return await openRunDirectory(configured, skipped, places);
  } catch (error) {
    const tried = configured === undefined ? [places.shared, places.private] : [configured];
    if ((await Promise.all(tried.map(isServed))).includes(true)) throw error;
    skipped(messageOf(error));
  }
  // With FLUX_POD_DIR the other verbs look for the agent there only.
  if (configured !== undefined) return undefined;
  return prepareOrSkip(places.observer, skipped);
}

async function prepareOrSkip(path: string, skipped: (sentence: string) => void) {
  try {
    return await prepare(makePrivate(path));
  } catch (error) {
    skipped(messageOf(error));
    return undefined;
  }
}

/** The directory that openRunDirectory would make, found without writing: for a command that only reads. */
export function expectedRunDirectory(
  configured: string | undefined,
  places: PlacesOfAll = usualPlaces,
): RunDirectory {
  return runDirectoryAt(configured ?? (isUsable(places.shared) ? places.shared : places.private));
}

function isUsable(path: string): boolean {
  const directory = lstatSync(path, { throwIfNoEntry: false });
  if (directory && directoryFault(directory, ownUid) !== undefined) return false;
  return writeFault(path) === undefined;
}

/** The paths in the run-time directory. */
export function runDirectoryAt(path: string): RunDirectory {
  return {
    path,
    brokerToml: join(path, 'broker.toml'),
    curveCert: join(path, 'curve.cert'),
    batchScript: join(path, 'batch.sh'),
    scheduler: join(path, 'sched-low-ranks.py'),
    agentSocket: join(path, 'agent.sock'),
    runDirectory: join(path, 'broker'),
    mountable: join(path, 'run'),
    // In a directory of its own: the broker takes none but its user's (flux-core src/broker/rundir.c, rundir_checkdir), and a mount may be root's.
    socket: join(path, 'run/flux/local'),
  };
}

async function prepare(path: string): Promise<RunDirectory> {
  const refuse = (why: string, hint = writableHint) =>
    new PodError(ExitCode.configuration, `Cannot use the run-time directory ${path}: ${why}`, { hint });
  const directory = runDirectoryAt(path);
  if (Buffer.byteLength(directory.runDirectory) > longestRunDirectory) {
    throw refuse(`sockets in it need a path of at most ${longestRunDirectory - '/broker'.length} bytes`);
  }
  if (await isServed(path)) throw refuse('an agent already serves in it', servedHint);
  // A symbolic link is that of an agent that was attached to another broker.
  if (isSocket(directory.socket) && (await isListening(directory.socket)))
    throw refuse('a broker is already running in it', takenHint);
  try {
    rmSync(directory.runDirectory, { recursive: true, force: true });
    makeDirectories(directory.runDirectory);
    // Emptied, not replaced: it may be a mount point, and other containers keep the directory that they have mounted.
    const { mountable } = directory;
    makeDirectories(mountable);
    for (const entry of readdirSync(mountable))
      rmSync(join(mountable, entry), { recursive: true, force: true });
    makeDirectories(dirname(directory.socket));
  } catch (error) {
    throw refuse(messageOf(error));
  }
  // Where other users can write in the directory, one of them may have made it.
  const fault = directoryFault(lstatSync(directory.runDirectory), ownUid);
  if (fault !== undefined) throw refuse(`${directory.runDirectory} is not private: ${fault}`);
  return directory;
}

function tryToMake(path: string, skipped: (sentence: string) => void): string | undefined {
  try {
    makeDirectories(path);
    const fault = directoryFault(lstatSync(path), ownUid);
    if (fault !== undefined) {
      skipped(`${path} is not used: ${fault}. FLUX_POD_DIR=${path} uses it all the same.`);
      return undefined;
    }
    makeDirectories(runDirectoryAt(path).mountable);
    writePrivate(join(path, 'writable'), '');
    rmSync(join(path, 'writable'));
    return path;
  } catch {
    return undefined; // read-only: the private directory serves
  }
}

/** A directory in /tmp is safe only where it belongs to this user, and other users cannot write in it. */
function makePrivate(path: string): string {
  const refuse = (why: string, hint: string) =>
    new PodError(ExitCode.configuration, `Cannot use ${path}: ${why}`, { hint });
  try {
    makeDirectories(path);
  } catch (error) {
    // Such as a root file system that is read-only, /tmp included.
    throw refuse(messageOf(error), writableHint);
  }
  const entry = lstatSync(path);
  if (entry.uid === ownUid && (entry.mode & 0o077) === 0 && entry.isDirectory()) return path;
  throw refuse('it is not a private directory of this user', 'Remove it, or set FLUX_POD_DIR.');
}

const isServed = async (path: string): Promise<boolean> => {
  const { agentSocket } = runDirectoryAt(path);
  return existsSync(agentSocket) && (await isListening(agentSocket));
};

const isSocket = (path: string): boolean => existsSync(path) && lstatSync(path).isSocket();

function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('connect', () => resolve(true));
    connection.once('error', () => resolve(false));
    connection.once('close', () => connection.destroy());
    connection.once('connect', () => connection.destroy());
  });
}
