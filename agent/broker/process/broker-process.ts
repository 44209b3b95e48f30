/**
 * The broker as a child process: start, signal, exit. It is started with node:child_process rather than execa, which takes
 * 23 ms to load: as long as everything else between exec of flux-pod and exec of the broker (`npm run bench`).
 */
import { spawn } from 'node:child_process';
import { ExitCode, errnoOf, messageOf, PodError, signalCode } from '../../errors.ts';
import { killSession } from './kill-session.ts';

/** How a process exited. `code` is that of a shell: 128+N for signal N. */
export interface Ending {
  readonly code: number;
  readonly signal: NodeJS.Signals | undefined;
}

export interface BrokerProcess {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  /** Sends a signal; does nothing after the process has exited. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills the broker and all processes of its session. */
  readonly kill: () => void;
}

/**
 * Starts `flux ...args` with this process's own stdin, stdout and stderr: output is neither split nor buffered.
 * Rejects with a PodError (exit 72) where it cannot be executed.
 *
 * Without a terminal the broker gets a session of its own: it sends SIGHUP to its process group when it leads one
 * (flux-core src/broker/broker.c), which then has only its program. With a terminal it stays in the foreground process group, or
 * the program could not become the foreground job.
 */
export function startBroker(
  flux: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: boolean,
): Promise<BrokerProcess> {
  return new Promise<BrokerProcess>((resolve, reject) => {
    const child = spawn(flux, args, { stdio: 'inherit', env: environment, detached: !terminal });
    const ended = new Promise<Ending>((settle) => {
      child.once('exit', (code, signal) => settle(endingOf(code, signal)));
    });
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid ?? 0;
      const signal = (name: NodeJS.Signals) => void child.kill(name);
      // In a terminal its session is that of the shell which started the agent.
      const kill = () => (terminal ? signal('SIGKILL') : killSession(pid));
      resolve({ pid, ended, signal, kill });
    });
  }).catch((error: unknown) => {
    // Some errors are emitted, others (E2BIG, ENOTDIR) thrown by spawn itself.
    throw new PodError(ExitCode.noFlux, `Cannot execute ${flux}: ${errnoOf(error) ?? messageOf(error)}`, {
      hint: 'Is it built for this machine, and is its interpreter in the image?',
      cause: error,
    });
  });
}

/** A child that a signal killed has no exit code: shells and Kubernetes report 128+N. */
export function endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
  return { code: code ?? signalCode(signal ?? 'SIGKILL'), signal: signal ?? undefined };
}
