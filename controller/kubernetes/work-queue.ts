/**
 * Keys that wait for work (client-go util/workqueue): a key that is added while it waits is there once, and one that is added while its
 * work is under way is worked on again afterwards, never by two at a time. Work that fails comes again after a backoff of its own.
 */
import { retryAfter } from './api.ts';
import { type Clock, systemClock } from './controller-clock.ts';
import { type Backoff, nextDelay } from './exponential-backoff.ts';

export interface WorkQueue {
  readonly add: (key: string) => void;
  /** After `ms`; an earlier time replaces a later one. */
  readonly addAfter: (key: string, ms: number) => void;
  /** Keys that wait, those in backoff left out. */
  readonly depth: () => number;
  /** Takes no new work; fulfilled when what is under way has ended. */
  readonly close: () => Promise<void>;
}

export interface WorkQueueOptions {
  /** Rejects where the work is to be done again. */
  readonly work: (key: string) => Promise<void>;
  /** Keys that are worked on at the same time. */
  readonly workers: number;
  readonly backoff: Backoff;
  readonly onFailure: (key: string, error: unknown, delayMs: number) => void;
  readonly random?: () => number;
  readonly clock?: Clock;
}

export function createWorkQueue({
  work,
  workers,
  backoff,
  onFailure,
  random = Math.random,
  clock = systemClock,
}: WorkQueueOptions): WorkQueue {
  const waiting = new Set<string>();
  const underWay = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  let closed = false;

  const forgetTimer = (key: string) => {
    timers.get(key)?.cancel();
    timers.delete(key);
  };

  function add(key: string): void {
    if (closed) return;
    forgetTimer(key);
    if (underWay.has(key)) again.add(key);
    else waiting.add(key);
    start();
  }

  function addAfter(key: string, ms: number): void {
    if (closed || waiting.has(key)) return;
    const at = clock.monotonic() + ms;
    const earlier = timers.get(key);
    if (earlier && earlier.at <= at) return;
    forgetTimer(key);
    timers.set(key, { at, cancel: clock.after(ms, () => add(key)) });
  }

  function start(): void {
    for (const key of waiting) {
      if (underWay.size >= workers) return;
      waiting.delete(key);
      underWay.set(key, doWork(key));
    }
  }

  async function doWork(key: string): Promise<void> {
    // The caller's stack ends before the work begins.
    await Promise.resolve();
    try {
      await work(key);
      failures.delete(key);
    } catch (error) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const delayMs = Math.max(nextDelay(backoff, count, random), retryAfter(error));
      onFailure(key, error, delayMs);
      // An event that came while it was worked on does not shorten its backoff; one that comes later ends it.
      again.delete(key);
      addAfter(key, delayMs);
    } finally {
      underWay.delete(key);
      if (again.delete(key) && !closed) waiting.add(key);
      start();
    }
  }

  return {
    add,
    addAfter,
    depth: () => waiting.size,
    close: async () => {
      closed = true;
      waiting.clear();
      for (const key of timers.keys()) forgetTimer(key);
      await Promise.all(underWay.values());
    },
  };
}
