import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { endingOf } from '../../../agent/broker/process.ts';
import type { BrokerConfig } from './config.ts';
import type { Message, Task } from './wire.ts';

/** The tasks that this broker runs. */
export interface Tasks {
  readonly start: (task: Task) => void;
  readonly signalAll: (signal: NodeJS.Signals) => void;
}

/** `report` gets each task's output and end. */
export function createTasks(config: BrokerConfig, report: (message: Message) => void): Tasks {
  const running = new Set<ChildProcess>();
  const start = (task: Task) => {
    const [program = '', ...args] = task.argv;
    const child = spawn(program, args, {
      cwd: task.cwd,
      env: taskEnvironment(config, task),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { job, task: number } = task;
    let failure: number | undefined;
    running.add(child);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (data: Buffer) =>
        report({ type: 'output', job, task: number, stream, data: data.toString('base64') }),
      );
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOENT' ? 127 : 126;
      const data = Buffer.from(`flux-shell[${number}]: ${program}: ${error.code}\n`).toString('base64');
      report({ type: 'output', job, task: number, stream: 'stderr', data });
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      report({ type: 'exit', job, task: number, code: failure ?? endingOf(code, signal).code });
    });
  };
  return {
    start,
    signalAll: (signal) => {
      for (const child of running) child.kill(signal);
    },
  };
}

/**
 * What Flux's shell sets that programs look at. All nodes of a demo are one machine: for `hostname` to tell them apart there is a
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
    FLUX_JOB_ID: `f${task.job}`,
    FLUX_JOB_SIZE: String(task.size),
    FLUX_JOB_NNODES: String(task.nodes),
    FLUX_TASK_RANK: String(task.task),
    FLUX_TASK_LOCAL_ID: String(task.localTask),
  };
}
