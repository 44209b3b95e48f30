/** The tasks that this broker runs for the leader: `rexec.exec` is answered by what a task writes and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { endingOf } from '../../../../agent/broker/process.ts';
import { formatJobId } from '../../../../agent/flux/job-id.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Router } from '../message-router.ts';

export type Task = {
  readonly job: bigint;
  readonly rank: number;
  readonly localRank: number;
  readonly size: number;
  readonly nodes: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
};

/** What an `rexec.exec` is answered with. */
export type TaskEvent =
  | { readonly stream: 'stdout' | 'stderr' /** base64 */; readonly data: string }
  | {
      readonly code: number;
      readonly pid: number /** Why it could not be started. */;
      readonly failure?: string;
    };

export interface Tasks {
  readonly signalAll: (signal: NodeJS.Signals) => void;
}

export function serveTasks(config: BrokerConfig, router: Router): Tasks {
  const running = new Map<ChildProcess, bigint>();
  router.serve('rexec.exec', ({ payload, respond, fail, keep }) => {
    const task = payload as unknown as Task;
    keep();
    const child = start(config, task);
    const send = (event: TaskEvent) => respond(event);
    let failure: string | undefined;
    running.set(child, BigInt(task.job));
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]?.on('data', (data: Buffer) => send({ stream, data: data.toString('base64') }));
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = error.code ?? 'unknown';
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      const missing = failure === 'ENOENT' ? 127 : 126;
      const pid = child.pid ?? 0;
      send(
        failure === undefined ? { code: endingOf(code, signal).code, pid } : { code: missing, pid, failure },
      );
      fail(constants.errno.ENODATA);
    });
  });
  router.serve('rexec.kill', ({ payload, respond }) => {
    for (const [child, job] of running)
      if (job === BigInt(payload.job as number)) child.kill(payload.signum as number);
    respond();
  });
  return {
    signalAll: (signal) => {
      for (const child of running.keys()) child.kill(signal);
    },
  };
}

function start(config: BrokerConfig, task: Task): ChildProcess {
  const [program = '', ...args] = task.argv;
  return spawn(program, args, {
    cwd: task.cwd,
    env: taskEnvironment(config, task),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * What Flux's shell sets that programs look at. All nodes of a demo are one machine: for `hostname` to differ there is a
 * script of that name first on PATH.
 */
function taskEnvironment({ attributes, host }: BrokerConfig, task: Task): Record<string, string> {
  const bin = join(attributes.get('rundir') ?? '/tmp', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'hostname'), `#!/bin/sh\necho '${host}'\n`, { mode: 0o755 });
  return {
    ...task.env,
    PATH: [bin, task.env.PATH ?? '/usr/bin:/bin'].join(delimiter),
    HOSTNAME: host,
    FLUX_URI: attributes.get('local-uri') ?? '',
    FLUX_JOB_ID: formatJobId(BigInt(task.job)),
    FLUX_JOB_SIZE: String(task.size),
    FLUX_JOB_NNODES: String(task.nodes),
    FLUX_TASK_RANK: String(task.rank),
    FLUX_TASK_LOCAL_ID: String(task.localRank),
  };
}
