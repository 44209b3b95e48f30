/**
 * Frees the ranks from a size on, as a controller asks: they are drained, and when no job and no housekeeping is left there the size counts as
 * freed. What is asked for says all of what is wanted, so that it is compared with what there is, again and again: at each change of nodes
 * and jobs that Flux streams, and after a backoff while ranks are not free, since no stream has the end of housekeeping.
 */
import { formatIdset } from '../cluster/idset.ts';
import { shrinkReason } from '../flux/drain-reasons.ts';
import { watchJobStats } from '../flux/services/job-list.ts';
import {
  drain,
  getAllocatedRanks,
  getResourceStatus,
  undrain,
  watchResourceEvents,
} from '../flux/services/resource.ts';
import type { Log } from '../log.ts';
import { createThrottle } from '../throttle.ts';
import { type Connect, keepStream, type StreamOptions } from './keep-stream.ts';
import { shrinkPlan } from './shrink-plan.ts';

export interface FreedRanks {
  /** Absent while ranks from the size on may have jobs. */
  readonly freed: number | undefined;
}

export interface FreeRanks {
  /** Ranks from here on are to be free; the instance's size, or more, takes all back. */
  readonly keep: (size: number) => void;
  /** A controller is there until the signal aborts: calls `onChange` at once, and at each change. */
  readonly watch: (onChange: (ranks: FreedRanks) => void, signal: AbortSignal) => void;
}

export interface FreeRanksOptions {
  /** Hosts that the configuration names. */
  readonly size: number;
  readonly connect: Connect;
  /** Ends all of it: what is drained then stays so. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly times?: typeof usualTimes;
  readonly retry?: StreamOptions['retry'];
}

/**
 * Milliseconds. Without a controller for `lapseMs` all ranks take jobs again: one that was deleted takes nothing back, and a leader that is
 * started again on its state directory finds the drains of before.
 */
const usualTimes = { betweenMs: 500, backoff: { first: 1000, most: 60_000 }, lapseMs: 600_000 };
const timeoutMs = 5000;

/** Of the resource module's events, those that concern whether a rank takes jobs. */
const isNews = (name: string): boolean => ['drain', 'undrain', 'online', 'offline'].includes(name);

export function createFreeRanks({
  size: most,
  connect,
  signal: life,
  log,
  times = usualTimes,
  retry,
}: FreeRanksOptions): FreeRanks {
  const listeners = new Set<(ranks: FreedRanks) => void>();
  let wanted: number | undefined;
  let freed: number | undefined;
  let streams: AbortController | undefined;
  let backoffMs = times.backoff.first;
  let timer: NodeJS.Timeout | undefined;
  let isChecking = false;
  let isStale = false;

  const settle = (next: number | undefined) => {
    if (next === freed) return;
    freed = next;
    for (const listener of listeners) listener({ freed });
  };

  const check = createThrottle(times.betweenMs, async () => {
    if (wanted === undefined || life.aborted) return;
    isStale = isChecking;
    if (isChecking) return;
    isChecking = true;
    clearTimeout(timer);
    const target = wanted;
    const isFree = await arrange(target, most, connect, log).catch((error: unknown) => {
      log('debug', 'Ranks could not be freed', { size: target, why: String(error) });
      return false;
    });
    isChecking = false;
    if (life.aborted) return;
    if (target === wanted) settle(isFree ? target : undefined);
    if (isStale || target !== wanted) return check.request();
    if (isFree && target === most) stopStreams();
    if (isFree) return;
    timer = setTimeout(check.request, backoffMs);
    backoffMs = Math.min(times.backoff.most, backoffMs * 2);
  });
  const news = () => {
    backoffMs = times.backoff.first;
    check.request();
  };

  const stopStreams = () => {
    streams?.abort();
    streams = undefined;
  };
  const followStreams = () => {
    if (streams) return;
    streams = new AbortController();
    const { signal } = streams;
    const options = { connect, signal, log, retry };
    void keepStream(
      'resource events',
      (client) => watchResourceEvents(client, { signal }),
      (names) => names.some(isNews) && news(),
      options,
    );
    // What is drained gets no job: once all of it is free, jobs elsewhere are no news.
    const onJobs = () => freed !== wanted && news();
    void keepStream('job states', (client) => watchJobStats(client, { signal }), onJobs, options);
  };

  const keep = (size: number) => {
    const next = Math.min(size, most);
    if (next === wanted || life.aborted) return;
    wanted = next;
    settle(undefined);
    if (next < most) followStreams();
    news();
  };

  const lapse = () => setTimeout(keep, times.lapseMs, most).unref();
  let lapsing = lapse();
  const end = () => {
    for (const each of [lapsing, timer]) clearTimeout(each);
    check.stop();
    stopStreams();
  };
  life.addEventListener('abort', end, { once: true });
  return {
    keep,
    watch: (onChange, signal) => {
      const listener = (ranks: FreedRanks) => onChange(ranks);
      clearTimeout(lapsing);
      listeners.add(listener);
      listener({ freed });
      signal.addEventListener(
        'abort',
        () => {
          listeners.delete(listener);
          if (listeners.size > 0) return;
          clearTimeout(lapsing);
          lapsing = lapse();
        },
        { once: true },
      );
    },
  };
}

/** Makes the drains what they are to be. Whether no rank from the size on has a job, or can get one. */
async function arrange(size: number, most: number, connect: Connect, log: Log): Promise<boolean> {
  using client = await connect({ signal: AbortSignal.timeout(timeoutMs) });
  const plan = shrinkPlan(size, await getResourceStatus(client, { timeoutMs }));
  const change = async (
    ranks: readonly number[],
    sentence: string,
    act: (ranks: string) => Promise<void>,
  ): Promise<void> => {
    if (ranks.length === 0) return;
    await act(formatIdset(ranks));
    log('info', sentence, { ranks: formatIdset(ranks) });
  };
  const [reason, taken] = [shrinkReason(size), `The size shrinks to ${size}: ranks take no new jobs`];
  await change(plan.drain, taken, (ranks) => drain(client, ranks, reason, { timeoutMs }));
  await change(plan.takeOver, taken, (ranks) =>
    drain(client, ranks, reason, { timeoutMs, mode: 'overwrite' }),
  );
  await change(plan.undrain, `The size is ${size}: ranks take jobs again`, (ranks) =>
    undrain(client, ranks, { timeoutMs }),
  );
  if (size === most) return true;
  // Asked of the scheduler, and after the drain: a job that it has started before is among its allocations.
  const allocated = await getAllocatedRanks(client, { timeoutMs });
  return allocated.every((rank) => rank < size);
}
