/** The time of the controller, passed in: in tests a minute passes at once. */
import { after } from '../../agent/clock.ts';

export interface Clock {
  /** Monotonic milliseconds, for durations. */
  readonly monotonic: () => number;
  /** Milliseconds since the epoch, for people and other machines. */
  readonly now: () => number;
  /** Runs `act` once after `ms`, which has no upper bound. Returns what cancels that. */
  readonly after: (ms: number, act: () => void) => () => void;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  now: Date.now,
  after,
};

/** Resolves after `ms`, or when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The value of `promise`; undefined when there is none after `ms`, or when `signal` aborts first. agent/timeout.ts by this clock. */
export async function within<Value>(
  clock: Clock,
  ms: number,
  promise: Promise<Value>,
  signal?: AbortSignal,
): Promise<Value | undefined> {
  const settled = new AbortController();
  const until = signal ? AbortSignal.any([signal, settled.signal]) : settled.signal;
  const timeout = pause(clock, Math.max(0, ms), until).then(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    settled.abort();
  }
}

/** The first of these times, undefined where none comes: of a time that is unknown, and of one that is infinite, nothing is waited for. */
export function soonest(...times: readonly (number | undefined)[]): number | undefined {
  const first = Math.min(...times.map((ms) => ms ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(first) ? first : undefined;
}
