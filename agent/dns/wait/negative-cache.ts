/**
 * Tells a resolver that denies a whole name from one that denies each type by itself.
 *
 * CoreDNS asks its backend anew for each type: a question of a new type gets a denial with its whole TTL. A resolver that keeps to
 * RFC 8020 answers every type from the one denial that it has, whose TTL counts down (RFC 2308, section 5): the denials of ever
 * other types all end at the same instant. There, asking before that instant can teach nothing.
 */
import type { Instant } from './wait-reason.ts';

export interface Denials {
  /** When the denial ends, as the first of these told. */
  readonly endsAt: Instant;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
}

/** TTLs are whole seconds. */
const roundingMs = 1100;
/** Denials with a fresh TTL each end later by as much as they were given later: over this long that cannot be rounding. */
const leastSpanMs = 2 * roundingMs;
/** Two could be chance: a type that some other pod has asked. */
const leastCount = 3;

/** Takes a denial into account; `seconds` is its TTL, undefined when there was no SOA: then nothing can be told. */
export function denied(
  before: Denials | undefined,
  seconds: number | undefined,
  at: Instant,
): Denials | undefined {
  if (seconds === undefined) return undefined;
  const endsAt = at + seconds * 1000;
  if (!before || Math.abs(endsAt - before.endsAt) > roundingMs)
    return { endsAt, firstAt: at, lastAt: at, count: 1 };
  return { ...before, lastAt: at, count: before.count + 1 };
}

/** The instant before which it is no use to ask, if the denials so far show one. */
export function keptUntil(denials: Denials | undefined): Instant | undefined {
  if (!denials || denials.count < leastCount) return undefined;
  return denials.lastAt - denials.firstAt >= leastSpanMs ? denials.endsAt : undefined;
}
