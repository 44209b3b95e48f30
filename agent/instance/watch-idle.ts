/** How long an instance has had no active job. */
import { after } from '../clock.ts';
import type { FluxClient } from '../flux/client.ts';
import { getJobStats, type JobStats, watchJobStats } from '../flux/services/job-list.ts';
import { keepStream, type StreamOptions } from './keep-stream.ts';

export interface WatchIdleOptions extends StreamOptions {
  readonly idleMs: number;
  /** Called when there has been no active job for `idleMs`: once each time that it becomes so. */
  readonly onIdle: () => void;
  readonly wait?: Wait;
}

/** Acts after so many milliseconds. Returns what cancels that. */
export type Wait = (ms: number, act: () => void) => () => void;

interface Count {
  readonly inactive: number;
  readonly cancel: () => void;
}

/** Watches until `signal` aborts. While it is not known what jobs there are, the time does not count. */
export function watchIdle({ idleMs, onIdle, wait = after, ...options }: WatchIdleOptions): void {
  const { signal } = options;
  /** There while no job is active, also after `onIdle`. */
  let count: Count | undefined;
  const stop = () => {
    count?.cancel();
    count = undefined;
  };
  const begin = (inactive: number, ms = idleMs) => {
    stop();
    const mine: Count = { inactive, cancel: wait(ms, () => void confirm(mine)) };
    count = mine;
  };
  /**
   * Whether the count goes on. The stream has what changes within a fifth of a second as one item (flux-core src/modules/job-list/stats.c,
   * BATCH_DELAY). A job that comes and ends within that is never active there: it only changes the number of inactive jobs. A purge does so as
   * well, and the time counts anew.
   */
  const take = (stats: JobStats): boolean => {
    const { inactive } = stats.job_states;
    if (activeIn(stats) > 0) stop();
    else if (inactive === count?.inactive) return true;
    else begin(inactive);
    return false;
  };
  /** The stream may be behind: a job that came at the last moment is the broker's to know. */
  const confirm = async (mine: Count) => {
    try {
      using client = await options.connect({ signal });
      const stats = await getJobStats(client, { timeoutMs: answerWithinMs });
      if (count === mine && take(stats)) onIdle();
    } catch (error) {
      if (signal.aborted) return;
      options.log('debug', 'It is not known whether there are jobs', { why: String(error) });
      if (count === mine) begin(mine.inactive, Math.min(idleMs, againMs));
    }
  };
  async function* counted(client: FluxClient): AsyncGenerator<JobStats, void> {
    try {
      yield* watchJobStats(client, { signal });
    } finally {
      stop();
    }
  }
  void keepStream('job states', counted, take, options);
}

const answerWithinMs = 5000;
/** After a question that was not answered. */
const againMs = 10_000;

/** RFC 21: all states but INACTIVE. A held job is in one of them. */
const activeIn = ({ job_states: { depend, priority, sched, run, cleanup } }: JobStats): number =>
  depend + priority + sched + run + cleanup;
