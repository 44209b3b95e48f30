/** One job: its event logs (RFC 18, RFC 21, RFC 24) and what Flux's services answer about it. */
import { formatIdset } from '../../../../agent/cluster/idset.ts';
import type { JsonObject } from '../../../../agent/flux/payload.ts';
import { type JobState, jobResults, jobStates } from '../../../../agent/flux/services/job-list.ts';
import type { JobRequest } from './jobspec-reader.ts';
import { type Placement, resourceSet } from './resource-service.ts';

export interface Job extends JobRequest {
  readonly id: bigint;
  readonly userid: number;
  readonly urgency: number;
  readonly J: string;
  readonly logs: Map<string, string[]>;
  readonly times: Partial<Record<JobState, number>>;
  state: JobState;
  placement?: Placement;
  status?: number;
  exception?: { readonly type: string; readonly severity: number; readonly note: string };
}

/** The state that an entry of the job's own event log leads to: RFC 21. `submit` is where a job begins. */
const stateAfter: Readonly<Record<string, JobState>> = {
  validate: 'depend',
  depend: 'priority',
  priority: 'sched',
  alloc: 'run',
  finish: 'cleanup',
  clean: 'inactive',
};

/** Adds an entry and returns its line. */
export function record(job: Job, path: string, name: string, context?: JsonObject): string {
  const timestamp = Date.now() / 1000;
  const line = `${JSON.stringify({ timestamp, name, ...(context && { context }) })}\n`;
  job.logs.set(path, [...(job.logs.get(path) ?? []), line]);
  const severe = name === 'exception' && context?.severity === 0 && job.state !== 'cleanup';
  const state = path === 'eventlog' ? (severe ? 'cleanup' : stateAfter[name]) : undefined;
  if (state && !(state in job.times)) {
    job.state = state;
    job.times[state] = timestamp;
  }
  return line;
}

/** A job's life in the words of job-list. */
export function describe(job: Job): JsonObject {
  const { placement, exception, status, times } = job;
  const stamp = Object.entries(times).map(([state, time]) => [`t_${state}`, time]);
  const cancelled = exception?.type === 'cancel' ? jobResults.canceled : jobResults.failed;
  return {
    id: job.id,
    userid: job.userid,
    urgency: job.urgency,
    priority: job.urgency,
    t_submit: Number(JSON.parse(job.logs.get('eventlog')?.[0] ?? '{}').timestamp),
    ...Object.fromEntries(stamp),
    state: jobStates[job.state],
    name: job.name,
    cwd: job.cwd,
    ntasks: job.tasks,
    ncores: job.tasks * job.coresPerTask,
    duration: job.duration,
    nnodes: placement?.hosts.length ?? job.nodes ?? 1,
    ...(placement && {
      ranks: formatIdset(placement.ranks),
      nodelist: placement.nodelist,
      expiration: 0,
      annotations: { sched: { resource_summary: placement.summary } },
    }),
    ...(job.state === 'inactive' && {
      success: succeeded(job),
      exception_occurred: exception !== undefined,
      result: succeeded(job) ? jobResults.completed : cancelled,
    }),
    ...(exception && {
      exception_type: exception.type,
      exception_severity: exception.severity,
      exception_note: exception.note,
    }),
    ...(status !== undefined && { waitstatus: status }),
  };
}

export const succeeded = ({ status, exception }: Job): boolean => status === 0 && !exception;

/** A record by its key in the KVS; undefined where there is none. */
export function lookUp(job: Job, key: string): string | undefined {
  if (key === 'jobspec') return job.jobspec;
  if (key === 'J') return job.J;
  if (key === 'R') return job.placement && JSON.stringify(resourceSet(job.placement, job.tasks));
  return job.logs.get(key)?.join('');
}
