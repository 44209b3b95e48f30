import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createThrottle } from '../agent/throttle.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** What is requested after these pauses happens at these times. */
function timesOf(pauses: readonly number[], ms = 1000): { requests: number[]; acts: number[] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
  const [requests, acts]: [number[], number[]] = [[], []];
  const throttle = createThrottle(ms, () => acts.push(Date.now()), Date.now);
  for (const pause of pauses) {
    vi.advanceTimersByTime(pause);
    requests.push(Date.now());
    throttle.request();
  }
  vi.advanceTimersByTime(10 * ms);
  return { requests, acts };
}

describe('a throttle', () => {
  it.each([
    ['nothing that nobody asked for', [], []],
    ['the first at once', [50], [50]],
    ['what comes soon after, later and once', [0, 10, 10, 10], [0, 1000]],
    ['what comes late enough, at once', [0, 1000, 1500], [0, 1000, 2500]],
  ])('does %s', (_, pauses, expected) => {
    expect(timesOf(pauses).acts).toEqual(expected);
  });

  it('acts at once where it must, and then once for all that is requested soon after', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
    const acts: number[] = [];
    const throttle = createThrottle(1000, () => acts.push(Date.now()), Date.now);
    for (const act of [throttle.request, throttle.request, throttle.actNow, throttle.request]) {
      act();
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(10_000);
    expect(acts).toEqual([0, 200, 1200]);
  });

  it('acts at most once in its time, soon enough after each request, and never for nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 })), (pauses) => {
        const { requests, acts } = timesOf(pauses);
        acts.forEach((act, place) => {
          expect(act - (acts[place - 1] ?? -1000)).toBeGreaterThanOrEqual(1000);
        });
        for (const request of requests)
          expect(acts.some((act) => act >= request && act <= request + 1000)).toBe(true);
        expect(acts.length).toBeLessThanOrEqual(requests.length);
      }),
    );
  });

  it('that was stopped does nothing that was requested before', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
    let acts = 0;
    const throttle = createThrottle(1000, () => acts++, Date.now);
    throttle.request();
    throttle.request();
    throttle.stop();
    vi.advanceTimersByTime(5000);
    expect(acts).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
