/** Which run-time directory the agent of this pod has made: what another user may have put there is not trusted. */
import { constants, fstatSync, lstatSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { directoryFault, isOpen, socketFault } from '../../agent/broker/run-directory/ownership.ts';
import {
  expectedRunDirectory,
  type RunDirectory,
  runDirectoryAt,
  type UsualPlaces,
  usualPlaces,
} from '../../agent/broker/run-directory/run-directory.ts';
import { ExitCode, errnoOf, PodError } from '../../agent/errors.ts';

/** A user and a group, by number. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface FoundDirectory extends RunDirectory {
  /** Whose agent it is; of no meaning where there is none. */
  readonly owner: Identity;
  /** The broker's socket by a name that other processes can use as well. */
  readonly brokerSocket: string;
}

export interface Where {
  readonly places?: UsualPlaces;
  /**
   * Whether an agent that only observes is looked for as well. The containers of a pod have that place in common, so this is only for what
   * asks and shows the answer, and never for what runs a program that the answer names.
   */
  readonly observers?: boolean;
}

type Kind = 'configured' | 'shared' | 'private';

/** Does not believe what is in a directory; the message is the reason. */
class Doubt extends Error {}

/**
 * Where the agent's run-time directory is: `configured`, or the first of the usual places that an agent listens in. `skipped` is called
 * with a sentence for each place that is not believed. Throws a PodError (exit 78) where that is the configured one.
 */
export function locateRunDirectory(
  configured: string | undefined,
  skipped: (sentence: string) => void,
  { places = usualPlaces, observers = false }: Where = {},
): FoundDirectory {
  const candidates: [string, Kind][] =
    configured === undefined
      ? [
          [places.shared, 'shared'],
          [places.private, 'private'],
          ...(observers ? [[places.observer, 'private'] as [string, Kind]] : []),
        ]
      : [[configured, 'configured']];
  for (const [path, kind] of candidates) {
    try {
      const found = believe(path, kind);
      if (found) return found;
    } catch (error) {
      if (!(error instanceof Doubt)) throw error;
      const sentence = `Cannot use the run-time directory ${path}: ${error.message}`;
      if (kind === 'configured')
        throw new PodError(ExitCode.configuration, sentence, {
          hint: 'Run this as the user of the agent. Where another user has made it, remove it.',
        });
      skipped(`${sentence}. It is skipped.`);
    }
  }
  // There is no agent yet: this is where it will be.
  const nowhere = expectedRunDirectory(configured, places);
  return { ...nowhere, owner: ownIdentity(), brokerSocket: nowhere.socket };
}

/**
 * Looks into one place; undefined where no agent is. The directory is held open for the rest of this process, and all that is in it is
 * reached through that descriptor: its name may lead elsewhere a moment after the check (proc_pid_fd(5)).
 */
function believe(path: string, kind: Kind): FoundDirectory | undefined {
  const descriptor = openDirectory(path, kind);
  if (descriptor === undefined) return undefined;
  const me = ownIdentity().uid;
  const pinned = runDirectoryAt(`/proc/self/fd/${descriptor}`);
  const directory = fstatSync(descriptor);
  if (kind !== 'configured') doubt(usualPlaceFault(path, kind, directory, me));

  const socket = lstatSync(pinned.agentSocket, { throwIfNoEntry: false });
  if (!socket) return undefined;
  const named = runDirectoryAt(path);
  const { uid, gid } = socket;
  // Root looks into the pod of another user, and then becomes that one: see actingIdentity().
  const expected = kind === 'configured' ? (me === 0 ? uid : me) : directory.uid;
  doubt(socketFault(socket, expected), named.agentSocket);
  // A mount that other containers see may be root's; the directories of the broker are not.
  const mountable = kind === 'configured' ? [] : [pinned.mountable];
  for (const inner of [pinned.runDirectory, ...mountable, dirname(pinned.socket)]) {
    const found = lstatSync(inner, { throwIfNoEntry: false });
    if (found) doubt(directoryFault(found, uid), join(path, relative(pinned.path, inner)));
  }
  const broker = lstatSync(pinned.socket, { throwIfNoEntry: false });
  if (broker && broker.uid !== uid)
    doubt(`it belongs to user ${broker.uid}, not to user ${uid}`, named.socket);
  return { ...pinned, path, owner: { uid, gid }, brokerSocket: named.socket };
}

/** A configured emptyDir is open to all users of the pod; a usual place must not be. */
function usualPlaceFault(path: string, kind: Kind, directory: Stats, me: number): string | undefined {
  const fault = directoryFault(directory, me === 0 && kind === 'shared' ? directory.uid : me);
  if (fault !== undefined || directory.uid === me) return fault;
  const open = parentsOf(path).find((parent) => isOpen(lstatSync(parent)));
  return open === undefined
    ? undefined
    : `it belongs to user ${directory.uid}, and not only root can write in ${open}`;
}

function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...parentsOf(parent)];
}

/** Undefined where there is none. A link is only followed where it is configured. */
function openDirectory(path: string, kind: Kind): number | undefined {
  const links = kind === 'configured' ? 0 : constants.O_NOFOLLOW;
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | links);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return undefined;
    throw new Doubt(code === 'ENOTDIR' || code === 'ELOOP' ? 'it is no directory' : `${code}`);
  }
}

function doubt(fault: string | undefined, path?: string): void {
  if (fault !== undefined) throw new Doubt(path === undefined ? fault : `${path}: ${fault}`);
}

const ownIdentity = (): Identity => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/**
 * The user that root becomes before it runs a program of the pod or connects to the pod's broker, which admits its owner only: the owner of
 * the agent, and where that is root, of the broker that it is attached to. Undefined for every other user.
 */
export function actingIdentity({ owner, socket }: FoundDirectory): Identity | undefined {
  if (ownIdentity().uid !== 0) return undefined;
  if (owner.uid !== 0) return owner;
  const broker = statSync(socket, { throwIfNoEntry: false });
  return broker === undefined || broker.uid === 0 ? undefined : { uid: broker.uid, gid: broker.gid };
}
