/** Jobspecs (RFC 14, in the form of RFC 25) of jobs in simple terms, as `flux submit` makes them. Data in, data out. */

import { parseDuration } from '../duration.ts';
import type { JsonObject } from '../flux/payload.ts';
import { JobError } from './job-error.ts';
import { nameOfLine } from './job-name.ts';
import type { SimpleJob } from './job-schemas.ts';

export interface JobDefaults {
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
}

/** Throws a JobError (invalid) for fields that contradict each other. */
export function jobspecOf(job: SimpleJob, { environment, directory }: JobDefaults): JsonObject {
  const { command, nodes, tasks = nodes ?? 1, coresPerTask = 1, gpusPerTask = 0 } = job;
  if (nodes !== undefined && tasks < nodes)
    throw refuse('tasks', `there are ${nodes} nodes for ${tasks} tasks`);
  if (job.exclusive && nodes === undefined) throw refuse('exclusive', 'it needs the number of nodes');
  const argv = typeof command === 'string' ? ['sh', '-c', command] : command;
  const name = job.name ?? (typeof command === 'string' ? nameOfLine(command) : undefined);
  const slots = nodes === undefined ? tasks : Math.ceil(tasks / nodes);
  const slot = {
    type: 'slot',
    count: slots,
    label: 'task',
    with: [
      { type: 'core', count: coresPerTask },
      ...(gpusPerTask > 0 ? [{ type: 'gpu', count: gpusPerTask }] : []),
    ],
  };
  const node = { type: 'node', count: nodes ?? 0, ...(job.exclusive && { exclusive: true }), with: [slot] };
  // A number of tasks that the nodes do not divide is given as a total (RFC 14: count.total).
  const even = nodes === undefined || tasks % nodes === 0;
  const dependencies = (job.dependencies ?? []).map(dependencyOf);
  return {
    version: 1,
    resources: [nodes === undefined ? slot : node],
    tasks: [{ command: argv, slot: 'task', count: even ? { per_slot: 1 } : { total: tasks } }],
    attributes: {
      system: {
        duration: secondsOf(job.duration ?? 0),
        cwd: job.cwd ?? directory,
        environment: { ...environment, ...job.environment },
        ...(name !== undefined && { job: { name } }),
        ...(job.queue !== undefined && { queue: job.queue }),
        ...(dependencies.length > 0 && { dependencies }),
        ...(job.options && { shell: { options: job.options as JsonObject } }),
      },
    },
  };
}

const refuse = (where: string, what: string): JobError =>
  new JobError('invalid', `${where}: ${what}`, { faults: [{ where: `/${where}`, what }] });

/** RFC 14 has 0 for no limit. */
function secondsOf(duration: number | string): number {
  const seconds = typeof duration === 'number' ? duration : parseDuration(duration);
  return seconds === undefined || !Number.isFinite(seconds) ? 0 : seconds;
}

/** `SCHEME:VALUE[?KEY=VALUE&...]` (RFC 26). */
function dependencyOf(dependency: string | { scheme: string; value: string }): JsonObject {
  if (typeof dependency !== 'string') return dependency;
  const [, scheme = '', value = '', options] = /^([^:]+):([^?]*)(?:\?(.*))?$/s.exec(dependency) ?? [];
  return { scheme, value, ...Object.fromEntries(new URLSearchParams(options)) };
}
