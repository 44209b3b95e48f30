/** Symbolic links that lead to a broker's socket. */
import { existsSync, lstatSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../errors.ts';
import { operatorPaths } from '../../pod/operator-paths.ts';
import { writeFault } from './private-file.ts';
import type { RunDirectory } from './run-directory.ts';

/**
 * In a pod of the Flux Operator a link leads to the socket from the path that its users and its flux-connect.sh use. `missed` is called with
 * a sentence where there is no link: another broker has its own socket there, or this user may not write (the Operator's init container
 * makes the directory as root).
 */
export function linkFromOperatorSocket(
  { socket }: RunDirectory,
  missed: (sentence: string) => void,
  at: string = operatorPaths.socket,
): void {
  if (!existsSync(dirname(at))) return;
  const miss = (why: string) =>
    missed(`The broker's socket is not found at ${at}: ${why}. FLUX_URI=local://${socket} leads to it.`);
  try {
    const isOurs = lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() ?? true;
    if (isOurs) putLink(at, socket);
    else miss('something else is there');
  } catch (error) {
    miss(writeFault(dirname(at)) ?? messageOf(error));
  }
}

/** Makes the run-time directory's socket a link to a broker that this agent has not started, for `flux-pod status` and its like. */
export const linkSocket = ({ socket }: RunDirectory, target: string): void => putLink(socket, target);

/** Replaces an entry of this name. */
function putLink(at: string, target: string): void {
  if (lstatSync(at, { throwIfNoEntry: false })) unlinkSync(at);
  symlinkSync(target, at);
}
