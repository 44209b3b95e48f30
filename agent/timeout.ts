import { setTimeout as delay } from 'node:timers/promises';

/**
 * The value of `promise`; undefined when there is none after `ms` milliseconds, or when `signal` aborts first. A rejection is thrown. No
 * timer is left behind.
 */
export async function within<Value>(
  ms: number,
  promise: Promise<Value>,
  signal?: AbortSignal,
): Promise<Value | undefined> {
  const settled = new AbortController();
  const until = signal ? AbortSignal.any([signal, settled.signal]) : settled.signal;
  const timeout = delay(ms, undefined, { signal: until }).catch(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    settled.abort();
  }
}
