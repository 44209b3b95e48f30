import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { ExitCode, errnoOf, messageOf, PodError } from '../errors.ts';
import { operatorPaths } from '../pod/operator-paths.ts';
import type { BrokerPaths } from './command-line.ts';
import { directoryFault } from './ownership.ts';

/** The files of one pod while it runs. */
export interface RunDirectory extends BrokerPaths {
  readonly path: string;
  readonly curveCert: string;
  readonly batchScript: string;
  /** The process id of the initial program, while it runs. */
  readonly programPid: string;
  /** Where the agent itself answers `flux-pod status` and its like. */
  readonly agentSocket: string;
}

/** Where it is unless configured: the first choice, and what serves where that cannot be written. */
export interface UsualPlaces {
  readonly shared: string;
  readonly private: string;
}
export const usualPlaces: UsualPlaces = {
  shared: '/run/flux-pod',
  private: `/tmp/flux-pod-${process.getuid?.() ?? 0}`,
};
/** Flux leaves room for a socket's name in sockaddr_un (flux-core src/broker/rundir.c). */
const longestRunDirectory = 96;
const writableHint =
  'Set FLUX_POD_DIR to a directory that this user can write, such as the mount of an emptyDir.';

/**
 * Makes the run-time directory ready: `configured` (FLUX_POD_DIR), else /run/flux-pod, else, where that cannot be written or is not
 * this user's alone, a private directory in /tmp that every other `flux-pod` of this user finds as well. `skipped` is called with a
 * sentence when a directory is there and is not used. What an earlier broker left in it is removed. Throws a PodError (exit 78) where it
 * cannot be used.
 */
export async function openRunDirectory(
  configured: string | undefined,
  skipped: (sentence: string) => void,
  places = usualPlaces,
): Promise<RunDirectory> {
  if (configured !== undefined) return prepare(configured);
  return prepare(tryToMake(places.shared, skipped) ?? makePrivate(places.private));
}

/** Where things are in the run-time directory. */
export function runDirectoryAt(path: string): RunDirectory {
  return {
    path,
    brokerToml: join(path, 'broker.toml'),
    curveCert: join(path, 'curve.cert'),
    batchScript: join(path, 'batch.sh'),
    programPid: join(path, 'program.pid'),
    agentSocket: join(path, 'agent.sock'),
    runDirectory: join(path, 'broker'),
    // Alone in its directory, which other containers may mount.
    socket: join(path, 'run/local'),
  };
}

/**
 * In a pod of the Flux Operator the socket is also found where its users, and its flux-connect.sh, look for it. Where somebody
 * else's broker has its own socket, or this user may not write, nothing is done.
 */
export function linkFromOperatorSocket({ socket }: RunDirectory, at: string = operatorPaths.socket): void {
  if (!existsSync(dirname(at))) return;
  try {
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() ?? true) putLink(at, socket);
  } catch {
    // Not for this user to write: whoever looks there finds no broker.
  }
}

/**
 * Makes the run-time directory's socket lead to somebody else's broker, so that `flux-pod status` and its like find that one as they
 * would find the pod's own.
 */
export const linkSocket = ({ socket }: RunDirectory, target: string): void => putLink(socket, target);

/** In the place of whatever is there. */
function putLink(at: string, target: string): void {
  if (lstatSync(at, { throwIfNoEntry: false })) unlinkSync(at);
  symlinkSync(target, at);
}

/** Writes a file that only this user can read, whole or not at all. Throws a PodError (exit 78) where it cannot. */
export function writePrivate(path: string, content: string, mode = 0o600): void {
  const unfinished = `${path}.new`;
  const write = () => writeFileSync(unfinished, content, { mode, flag: 'wx' });
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
      hint: writableHint,
      cause: error,
    });
  }
}

async function prepare(path: string): Promise<RunDirectory> {
  const refuse = (why: string) =>
    new PodError(ExitCode.configuration, `Cannot use the run-time directory ${path}: ${why}`, {
      hint: writableHint,
    });
  const directory = runDirectoryAt(path);
  if (Buffer.byteLength(directory.runDirectory) > longestRunDirectory) {
    throw refuse(`sockets in it need a path of at most ${longestRunDirectory - '/broker'.length} bytes`);
  }
  if (existsSync(directory.agentSocket) && (await isListening(directory.agentSocket)))
    throw refuse('an agent already serves in it');
  // A link leads to somebody else's broker: an agent that was attached to that has left it.
  if (isSocket(directory.socket) && (await isListening(directory.socket)))
    throw refuse('a broker is already running in it');
  try {
    rmSync(directory.runDirectory, { recursive: true, force: true });
    makeDirectories(directory.runDirectory);
    // Emptied, not replaced: it may be a mount point, and other containers keep the directory that they have mounted.
    const shared = dirname(directory.socket);
    makeDirectories(shared);
    for (const entry of readdirSync(shared)) rmSync(join(shared, entry), { recursive: true, force: true });
  } catch (error) {
    throw refuse(messageOf(error));
  }
  // Where others can write in the directory, one of them may have been quicker.
  const fault = directoryFault(lstatSync(directory.runDirectory), ownUid);
  if (fault !== undefined) throw refuse(`${directory.runDirectory} is not private: ${fault}`);
  return directory;
}

/**
 * Makes a directory and its parents, private to this user. Node's own `recursive` never returns where mkdir(2) answers ENOENT
 * though the parent is there, as in /proc.
 */
function makeDirectories(path: string): void {
  const parts = path.split('/').filter((part) => part !== '');
  for (const count of parts.keys()) {
    const directory = `/${parts.slice(0, count + 1).join('/')}`;
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  }
}

const ownUid = process.getuid?.() ?? 0;

function tryToMake(path: string, skipped: (sentence: string) => void): string | undefined {
  try {
    makeDirectories(path);
    const fault = directoryFault(lstatSync(path), ownUid);
    if (fault !== undefined) {
      skipped(`${path} is not used: ${fault}. FLUX_POD_DIR=${path} uses it all the same.`);
      return undefined;
    }
    makeDirectories(join(path, 'run'));
    writePrivate(join(path, 'writable'), '');
    rmSync(join(path, 'writable'));
    return path;
  } catch {
    return undefined; // read-only: the private directory serves
  }
}

/** A directory in /tmp is only safe if it is ours and nobody else can write it. */
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
