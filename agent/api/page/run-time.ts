/** The run time of a job: while it runs, counted from its start. */
import type { JobAnswer } from '../../jobs/job-schemas.ts';
import { duration, elapsed } from './format.ts';

type Times = Pick<JobAnswer, 't_run' | 't_cleanup' | 't_inactive' | 'runtime'>;

export const isRunning = ({ t_run, t_cleanup, t_inactive }: Times): boolean =>
  t_run !== undefined && t_cleanup === undefined && t_inactive === undefined;

/** The text for a moment `now`, in seconds by the leader's clock. */
export function runTimeText(times: Times, now: number): string {
  const { t_run, runtime } = times;
  if (t_run !== undefined && isRunning(times)) return elapsed(now - t_run);
  return runtime === undefined ? '' : duration(runtime);
}
