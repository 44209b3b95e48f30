import { describe, expect, it } from 'vitest';
import { addNegative, cachedUntil, type NegativeAnswers } from '../../../agent/dns/wait/negative-cache.ts';

/** Until when a series of [seconds from the start, TTL of the negative answer] has the whole name in a negative cache, in seconds. */
function untilAfter(series: readonly (readonly [number, number | undefined])[]) {
  let negatives: NegativeAnswers | undefined;
  for (const [at, ttl] of series) negatives = addNegative(negatives, ttl, at * 1000);
  const until = cachedUntil(negatives);
  return until === undefined ? undefined : until / 1000;
}

describe('a series of negative answers to different types', () => {
  it.each<[string, readonly (readonly [number, number | undefined])[], number | undefined]>([
    [
      'whose TTL counts down is one negative answer for the name',
      [
        [0, 30],
        [1.2, 28],
        [2.5, 27],
      ],
      30,
    ],
    [
      'that began before we asked is one as well',
      [
        [0, 12],
        [1, 11],
        [2.4, 9],
      ],
      12,
    ],
    [
      'rounded up or down is one',
      [
        [0, 30],
        [0.9, 30],
        [1.1, 28],
        [2.3, 27],
        [3.05, 27],
      ],
      30,
    ],
    [
      'each with its whole TTL is CoreDNS',
      [
        [0, 30],
        [0.5, 30],
        [1, 30],
        [2.5, 30],
        [3.5, 30],
      ],
      undefined,
    ],
    [
      'each with its whole TTL of 1 s is CoreDNS',
      [
        [0, 1],
        [0.5, 1],
        [1, 1],
        [2.5, 1],
        [3.5, 1],
      ],
      undefined,
    ],
    [
      'in quick succession says nothing yet',
      [
        [0, 30],
        [0.05, 30],
        [0.12, 30],
        [0.3, 30],
      ],
      undefined,
    ],
    [
      'of which two agree by chance says nothing',
      [
        [0, 30],
        [4, 30],
        [8, 26],
      ],
      undefined,
    ],
    [
      'without an SOA says nothing',
      [
        [0, undefined],
        [1, undefined],
        [5, undefined],
      ],
      undefined,
    ],
    [
      'is forgotten with a denial that is new',
      [
        [0, 30],
        [1.2, 28],
        [2.5, 27],
        [30, 30],
      ],
      undefined,
    ],
  ])('%s', (_, series, until) => {
    expect(untilAfter(series)).toBe(until);
  });
});
