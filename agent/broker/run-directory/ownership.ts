/** Which users can write into a directory: pure decisions over the results of lstat(2) and fstat(2). */
import type { Stats } from 'node:fs';

/** Write permission of group and others (inode(7)). */
const othersWrite = 0o022;
/** In a sticky directory only the owner of an entry, or of the directory, renames or removes it (inode(7)). */
const sticky = 0o1000;

const modeOf = ({ mode }: Stats): string => `mode 0${(mode & 0o7777).toString(8)}`;

/** Why other users than `uid` can write in this directory; undefined where only that user and root can. */
export function directoryFault(directory: Stats, uid: number): string | undefined {
  if (!directory.isDirectory()) return 'it is no directory';
  if (directory.uid !== uid) return `it belongs to user ${directory.uid}, not to user ${uid}`;
  if ((directory.mode & othersWrite) !== 0) return `other users can write in it (${modeOf(directory)})`;
  return undefined;
}

/** Why this is no socket of the user `uid` alone; undefined where it is. */
export function socketFault(socket: Stats, uid: number): string | undefined {
  if (!socket.isSocket()) return 'it is no socket';
  if (socket.uid !== uid) return `it belongs to user ${socket.uid}, not to user ${uid}`;
  if ((socket.mode & othersWrite) !== 0) return `other users can connect to it (${modeOf(socket)})`;
  return undefined;
}

/** Whether a user other than root can put another entry in the place of one in this directory. */
export const isOpen = (parent: Stats): boolean =>
  parent.uid !== 0 || ((parent.mode & othersWrite) !== 0 && (parent.mode & sticky) === 0);
