import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  environmentOf,
  fqdnOf,
  hostnameOf,
  type PodFile,
  type PodIdentity,
  writePodFiles,
} from './pod-files.ts';
import { openOutputs } from './pod-output.ts';
import { type Mount, writeRoot } from './pod-root.ts';
import { execCommand, type SandboxPlan, sandboxCommand, toolPath } from './pod-sandbox.ts';

export interface Outcome {
  /** The exit code, or 128 + N when signal N ended it: what a kubelet reports of PID 1. */
  code: number;
}

export interface PodProcess {
  /** As numbered in the pod. */
  pid: number;
  parent: number;
  /** proc(5): R, S, D, T, Z... */
  state: string;
  command: string;
}

/** A container's PID 1 and the namespaces around it. */
export interface Pod {
  readonly name: string;
  readonly fqdn: string | undefined;
  readonly address: string;
  /** Fulfilled when the sandbox stands and the command is about to be executed; rejected with what went wrong. */
  readonly started: Promise<void>;
  /** After all output has arrived; rejected only when the sandbox could not be made. */
  readonly exited: Promise<Outcome>;
  /** With `stdin: 'pipe'`. */
  readonly stdin: Writable | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The pattern's match in stdout or in stderr, as soon as there is one; rejected after `timeoutMs` (60,000) or the pod's end. */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Sends a signal to PID 1 itself; nothing once it has ended. */
  signal(name: NodeJS.Signals): Promise<void>;
  exec(command: readonly string[]): Promise<Outcome & { stdout: string; stderr: string }>;
  /** Everything that runs, or waits to be reaped, in the pod; nothing is started to find out. */
  processes(): PodProcess[];
  /** Where this machine shows what is in /proc of the pod; throws before it has started. */
  proc(): string;
  /** What was written to /dev/termination-log. */
  terminationLog(): string;
  /** SIGKILL to PID 1: the container is gone, the pod's address is still there and refuses connections. */
  kill(): Promise<Outcome>;
  /** Pulls the cable between the pod and the bridge, or plugs it in again. */
  linkDown(): Promise<void>;
  linkUp(): Promise<void>;
  /** Deletes the pod: killed, its record withdrawn, its address swallowing TCP from now on. */
  remove(): Promise<void>;
}

export interface Launch {
  identity: PodIdentity;
  /** Where the pod is put together; to be removed by the caller. */
  directory: string;
  network: Pick<SandboxPlan, 'bed' | 'sandbox' | 'port' | 'cidr'>;
  command: readonly string[];
  env: Record<string, string>;
  files: Record<string, PodFile>;
  mounts: readonly Mount[];
  stdin: 'ignore' | 'pipe';
  surroundings: Surroundings;
}

/** What the bed does about a pod on the outside. */
export interface Surroundings {
  setLink(state: 'up' | 'down'): Promise<void>;
  withdraw(): void;
  swallowTcp(): Promise<void>;
}

/** Starts the pod's sandbox and command; returns at once. Throws a RangeError for files that no pod can have. */
export function launchPod(launch: Launch): Pod {
  const { identity, directory, surroundings } = launch;
  const env = { ...environmentOf(identity), ...launch.env };
  const log = join(directory, 'termination-log');
  const [files, root] = [join(directory, 'files'), join(directory, 'root')];
  mkdirSync(root, { recursive: true });
  writePodFiles(files, identity, launch.files);
  writeFileSync(log, '');
  writeFileSync(join(directory, 'fstab'), writeRoot({ files, root, terminationLog: log }, launch.mounts));

  const { command } = launch;
  const sandbox = sandboxCommand({
    ...launch.network,
    hostname: hostnameOf(identity),
    directory,
    env,
    command,
  });
  const outputs = openOutputs(directory);
  const { stdout, stderr, messages } = outputs;
  const child = spawn(sandbox.file, sandbox.args, {
    cwd: '/',
    env: sandbox.env,
    // Out of reach of the terminal's Ctrl-C, which is for the test runner.
    detached: true,
    stdio: [launch.stdin, ...outputs.writeEnds],
  });
  for (const end of outputs.writeEnds) closeSync(end);
  let pid: number | undefined;
  let ended = false;

  const exited = (async (): Promise<Outcome> => {
    const [[code, signal]] = await Promise.all([once(child, 'exit'), outputs.closed]);
    ended = true;
    if (pid === undefined)
      throw new Error(`Cannot make pod ${identity.name}: ${messages.text || `code ${code}`}`);
    return outcomeOf(code, signal);
  })();
  exited.catch(() => {});
  const started = (async () => {
    const [, number] = await messages.match(/^pid (\d+)$/m, exited);
    pid = Number(number);
  })();
  started.catch(() => {});

  const signal = async (name: NodeJS.Signals) => {
    if (pid === undefined) await started;
    if (pid === undefined || ended) return;
    try {
      process.kill(pid, name);
    } catch (error) {
      // It has exited, and its output is not at its end yet.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };

  const proc = () => {
    if (pid === undefined) throw new Error(`${identity.name} has not started`);
    return `/proc/${pid}/root/proc`;
  };

  const kill = async () => {
    await signal('SIGKILL');
    return exited;
  };

  return {
    name: identity.name,
    fqdn: fqdnOf(identity),
    address: identity.address,
    started,
    exited,
    stdin: child.stdin,
    get stdout() {
      return stdout.text;
    },
    get stderr() {
      return stderr.text;
    },
    waitForOutput: async (pattern, timeoutMs = 60_000) => {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error(`nothing came in ${timeoutMs} ms`)), timeoutMs);
      const gone = exited.then(({ code }) => Promise.reject(new Error(`it ended with code ${code}`)));
      const limit = Promise.race([late, gone]);
      try {
        const found = await Promise.any([stdout.match(pattern, limit), stderr.match(pattern, limit)]);
        // It is written over one pipe, and which process the pod is over another.
        await started;
        return found;
      } catch (error) {
        const [cause] = error instanceof AggregateError ? error.errors : [error];
        const seen = `stdout: ${JSON.stringify(stdout.text)}, stderr: ${JSON.stringify(stderr.text)}`;
        throw new Error(
          `Cannot find ${pattern} in the output of ${identity.name}: ${cause.message}; ${seen}`,
        );
      } finally {
        clearTimeout(timer);
      }
    },
    signal,
    exec: async (words) => {
      await started;
      if (pid === undefined || ended) throw new Error(`Cannot exec in ${identity.name}: it has ended`);
      const [file = '', ...args] = execCommand(pid, env, words);
      const run = spawn(file, args, { cwd: '/', env: { PATH: toolPath }, stdio: ['ignore', 'pipe', 'pipe'] });
      const close = once(run, 'close');
      const [out, err] = await Promise.all([text(run.stdout), text(run.stderr)]);
      const [code, by] = await close;
      return { ...outcomeOf(code, by), stdout: out, stderr: err };
    },
    processes: () => (pid === undefined || ended ? [] : processesIn(proc())),
    proc,
    terminationLog: () => readFileSync(log, 'utf8'),
    kill,
    linkDown: () => started.then(() => surroundings.setLink('down')),
    linkUp: () => started.then(() => surroundings.setLink('up')),
    remove: async () => {
      surroundings.withdraw();
      await kill();
      await surroundings.swallowTcp();
    },
  };
}

/** nsenter(1) ends by the signal that ended their child. */
function outcomeOf(code: number | null, signal: NodeJS.Signals | null): Outcome {
  return { code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) };
}

/** The processes of one /proc (proc(5), /proc/PID/stat). Those that end meanwhile are left out. */
function processesIn(proc: string): PodProcess[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const match = /^(\d+) \((.*)\) (\S) (\d+)/s.exec(readIfThere(join(proc, name, 'stat')));
      if (match === null) return [];
      const [, pid, command = '', state = '', parent] = match;
      return [{ pid: Number(pid), parent: Number(parent), state, command }];
    });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
