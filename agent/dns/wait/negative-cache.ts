/**
 * Tells a resolver whose negative cache has whole names from one whose negative cache has each type by itself.
 *
 * CoreDNS asks its backend for each type: the negative answer to a new type has the whole TTL. A resolver that follows RFC 8020 answers
 * every type from one negative answer, whose TTL counts down (RFC 2308, section 5): the negative answers to different types all expire at
 * the same time. There a query before that time is useless.
 */
import type { Instant } from './wait-reason.ts';

/** Negative answers that expire at the same time. */
export interface NegativeAnswers {
  /** The time at which they expire, by the first of them. */
  readonly expiresAt: Instant;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
}

/** TTLs are whole seconds. */
const roundingMs = 1100;
/** Negative answers with the whole TTL expire later by as much as they came later: over this span that cannot be rounding. */
const leastSpanMs = 2 * roundingMs;
/** Two could be chance: a type that another pod has asked for. */
const leastCount = 3;

/** Adds a negative answer; without a TTL, where it had no SOA, nothing follows from it. */
export function addNegative(
  before: NegativeAnswers | undefined,
  ttl: number | undefined,
  at: Instant,
): NegativeAnswers | undefined {
  if (ttl === undefined) return undefined;
  const expiresAt = at + ttl * 1000;
  if (!before || Math.abs(expiresAt - before.expiresAt) > roundingMs)
    return { expiresAt, firstAt: at, lastAt: at, count: 1 };
  return { ...before, lastAt: at, count: before.count + 1 };
}

/** The time until which the name is in a negative cache, where the answers so far show one. */
export function cachedUntil(answers: NegativeAnswers | undefined): Instant | undefined {
  if (!answers || answers.count < leastCount) return undefined;
  return answers.lastAt - answers.firstAt >= leastSpanMs ? answers.expiresAt : undefined;
}
