/** A clock on which time passes only when `run` lets it, and then at once. Everything that waits has to wait on it: no sockets, no files. */
import type { Clock } from '../../../controller/kubernetes/controller-clock.ts';

export interface VirtualClock extends Clock {
  /** Lets time pass until nothing waits any more, or `ms` have passed. */
  readonly run: (ms?: number) => Promise<void>;
  /** Sets the wall clock forward, or back where `ms` is negative. */
  readonly jump: (ms: number) => void;
}

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** More timers at one time than any test has reason for: what waits for itself without a delay would never end. */
const mostRounds = 5_000_000;

export function createVirtualClock(start = Date.parse('2026-11-26T10:00:00Z')): VirtualClock {
  let elapsed = 0;
  let offset = start;
  /** By time; of the same time in the order in which they were set. */
  const times = new Map<number, Set<Timer>>();
  const order: number[] = [];

  const after = (ms: number, act: () => void) => {
    const timer: Timer = { at: elapsed + Math.max(0, ms), act };
    const same = times.get(timer.at);
    if (same) same.add(timer);
    else {
      times.set(timer.at, new Set([timer]));
      const place = order.findLastIndex((at) => at < timer.at);
      order.splice(place + 1, 0, timer.at);
    }
    return () => void times.get(timer.at)?.delete(timer);
  };

  async function run(ms = Number.POSITIVE_INFINITY): Promise<void> {
    const end = elapsed + ms;
    for (let rounds = 0; rounds < mostRounds; rounds++) {
      // All promises that can settle have done so when the event loop turns.
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = order;
      if (next === undefined || next > end) {
        if (Number.isFinite(end)) elapsed = end;
        return;
      }
      elapsed = next;
      order.shift();
      const due = times.get(next) ?? new Set();
      times.delete(next);
      for (const timer of due) timer.act();
    }
    throw new Error('time does not end: something waits again and again');
  }

  return {
    monotonic: () => elapsed,
    now: () => offset + elapsed,
    after,
    run,
    jump: (ms) => {
      offset += ms;
    },
  };
}
