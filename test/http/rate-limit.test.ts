import { describe, expect, it } from 'vitest';
import { createRateLimit } from '../../agent/http/rate-limit.ts';

describe('a rate limit of 2 a second, and 4 at once', () => {
  /** Takes of a client at some moments, in milliseconds. Returns how long each has to wait, in seconds. */
  const waits = (moments: readonly number[], client = 'a') => {
    let now = 0;
    const limit = createRateLimit(2, 4, () => now);
    return moments.map((at) => {
      now = at;
      return limit.take(client);
    });
  };

  it.each([
    ['gives as many at once', [0, 0, 0, 0], [0, 0, 0, 0]],
    ['and says how long to wait for the next', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0.5]],
    ['fills again with time', [0, 0, 0, 0, 500, 500], [0, 0, 0, 0, 0, 0.5]],
    [
      'but no further than at the beginning',
      [0, 60_000, 60_000, 60_000, 60_000, 60_000],
      [0, 0, 0, 0, 0, 0.5],
    ],
  ])('%s', (_, moments, expected) => {
    expect(waits(moments)).toEqual(expected);
  });

  it('is one for each client', () => {
    const limit = createRateLimit(2, 1, () => 0);
    expect(['a', 'b', 'a'].map(limit.take)).toEqual([0, 0, 0.5]);
  });
});
