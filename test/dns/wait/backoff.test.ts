import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, firstDelayMs, intervalMs, reconnectMs } from '../../../agent/dns/wait/backoff.ts';

describe('the pause before the next question', () => {
  it.each([
    [0, 4, 37.5, 62.5],
    [1, 4, 56.25, 93.75],
    [2, 4, 84.375, 140.625],
    [5, 4, 284.765625, 474.609375],
    [7, 4, 600, 1000],
    [100, 4, 600, 1000],
    [10_000, 4, 600, 1000],
    [0, 90, 400, 500],
    [7, 90, 600, 1000],
    [0, 450, 2000, 2250],
    [100, 450, 2000, 2250],
    [0, 9000, 40_000, 40_250],
  ])('after question %i, of %i pods, is from %f to %f ms', (attempt, size, least, most) => {
    expect([backoffMs(attempt, size, 0), backoffMs(attempt, size, 1)]).toEqual([least, most]);
  });

  it('is at least the share of the pod in what the cluster may ask, and differs from pod to pod', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 20_000 }), (attempt, size) => {
        const pauses = Array.from({ length: 20 }, () => backoffMs(attempt, size));
        expect(Math.min(...pauses)).toBeGreaterThanOrEqual(intervalMs(size));
        expect(new Set(pauses).size).toBeGreaterThan(1);
      }),
    );
  });
});

describe('the pause before the first question', () => {
  it.each([4, 100, 225])('is none for %i pods: so many may ask at once', (size) => {
    expect(firstDelayMs(size - 1, size, 0.9)).toBe(0);
  });

  it('spreads the pods of a larger cluster evenly over its round', () => {
    const size = 10_000;
    const pauses = Array.from({ length: size }, (_, rank) => firstDelayMs(rank, size, 0.5));
    const seconds = Map.groupBy(pauses, (pause) => Math.floor(pause / 1000));
    expect(Math.max(...pauses)).toBeLessThan(intervalMs(size));
    expect(Math.max(...[...seconds.values()].map(({ length }) => length))).toBeLessThanOrEqual(226);
  });
});

it.each([
  [0, 4, 18.75, 31.25],
  [40, 4, 187.5, 312.5],
  [200, 4, 750, 1250],
  [10, 1000, 375, 625],
  [0, 10_000, 3750, 6250],
])('a SYN after %i others, of %i pods, waits from %f to %f ms', (tries, size, least, most) => {
  expect([reconnectMs(tries, size, 0), reconnectMs(tries, size, 1)]).toEqual([least, most]);
});
