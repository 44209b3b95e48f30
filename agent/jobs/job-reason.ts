/** The wait reason or the outcome of a job in one line, as in `flux jobs` (its fields contextual_info and inactive_reason). */
import { constants } from 'node:os';
import type { JobAnswer } from './job-schemas.ts';

/** Empty for a job that runs or has completed. `now` in milliseconds. */
export function reasonOf(job: JobAnswer, now: number = Date.now()): string {
  if (job.unfit !== undefined) return `can never run: ${job.unfit}`;
  switch (job.state) {
    case 'DEPEND':
      return `depends:${(job.dependencies ?? []).join(',')}`;
    case 'PRIORITY':
      return 'priority-wait';
    case 'SCHED':
      return waitReason(job, now);
    case 'INACTIVE':
      return inactiveReason(job);
    default:
      return '';
  }
}

/** flux-core src/bindings/python/flux/job/info.py, contextual_info; schedulers annotate the reason and the estimate (RFC 27). */
function waitReason({ urgency, priority, annotations }: JobAnswer, now: number): string {
  const { t_estimate: estimate, reason_pending: reason } = (annotations?.sched ?? {}) as Record<
    string,
    unknown
  >;
  if (urgency === 0) return 'held';
  if (priority === 0) return 'priority-hold';
  const eta = typeof estimate === 'number' ? Math.max(0, Math.round(estimate - now / 1000)) : undefined;
  return [
    ...(typeof reason === 'string' ? [reason] : []),
    ...(eta === undefined ? [] : [`eta:${eta === 0 ? 'now' : `${eta}s`}`]),
  ].join(' ');
}

function inactiveReason({ result, exception, returncode }: JobAnswer): string {
  if (result === 'COMPLETED') return '';
  if (result === 'CANCELED') return exception?.note ? `Canceled: ${exception.note}` : 'Canceled';
  // An exception of the type exec has no more information than the exit code.
  if (exception && exception.severity === 0 && exception.type !== 'exec')
    return `${exception.type}${exception.note ? `: ${exception.note}` : ''}`;
  return returncode === undefined ? (exception?.note ?? '') : (taskFailure(returncode) ?? '');
}

/** The meaning of the tasks' exit code; undefined for 0 (flux-core src/common/libjob/job.c, flux_job_waitstatus_to_exitcode). */
export function taskFailure(returncode: number): string | undefined {
  if (returncode === 0) return undefined;
  const names = Object.entries(constants.signals);
  const signal = names.find(([, number]) => number === returncode - 128)?.[0];
  if (signal !== undefined) return `task(s) ended by ${signal}`;
  const meanings: Readonly<Record<number, string>> = { 126: ': not executable', 127: ': command not found' };
  return `task(s) exited with exit code ${returncode}${meanings[returncode] ?? ''}`;
}
