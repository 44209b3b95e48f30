/** How long an instance has had no active job. */
import { longestTimerMs } from '../clock.ts';
import type { FluxClient } from '../flux/client.ts';
import { getJobStats, type JobStats, watchJobStats } from '../flux/services/job-list.ts';
import { keepStream, type StreamOptions } from './keep-stream.ts';

export interface WatchIdleOptions extends StreamOptions {
  readonly idleMs: number;
  /** Called when there has been no active job for `idleMs`: once each time that it becomes so. */
  readonly onIdle: () => void;
}

/** Watches until `signal` aborts. While it is not known what jobs there are, the time does not count. */
export function watchIdle({ idleMs, onIdle, ...options }: WatchIdleOptions): void {
  const { signal } = options;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const wait = (leftMs: number) => {
    const ms = Math.min(leftMs, longestTimerMs);
    timer = setTimeout(() => (leftMs > ms ? wait(leftMs - ms) : void confirm()), ms);
  };
  /** The stream may be a fifth of a second behind: a job that came at the last moment is the broker's to know. */
  const confirm = async () => {
    try {
      using client = await options.connect({ signal });
      if (activeIn(await getJobStats(client, { timeoutMs: answerWithinMs })) === 0 && timer) onIdle();
    } catch (error) {
      if (!signal.aborted)
        options.log('debug', 'It is not known whether there are jobs', { why: String(error) });
    }
  };
  async function* counted(client: FluxClient): AsyncGenerator<JobStats, void> {
    try {
      yield* watchJobStats(client, { signal });
    } finally {
      stop();
    }
  }
  void keepStream(
    'job states',
    counted,
    (stats) => {
      if (activeIn(stats) > 0) stop();
      else if (timer === undefined) wait(idleMs);
    },
    options,
  );
}

const answerWithinMs = 5000;

/** RFC 21: all states but INACTIVE. A held job is in one of them. */
const activeIn = ({ job_states: { depend, priority, sched, run, cleanup } }: JobStats): number =>
  depend + priority + sched + run + cleanup;
