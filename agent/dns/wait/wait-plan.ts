/**
 * The next queries and connections of a wait, and when. Pure, as wait-events.ts is: events go in with the clock's reading and a random
 * number, moves come out, so that a test can simulate 10,000 pods.
 */

import { type Lookup, largestListed } from '../query/lookup.ts';
import { intervalMs } from './backoff.ts';
import { nextKey } from './cache-keys.ts';
import { refusedSince } from './candidates.ts';
import type { Instant } from './wait-reason.ts';
import type { Wait, WaitFor } from './wait-state.ts';

export interface Moves {
  readonly ask: readonly Lookup[];
  readonly connect: readonly string[];
  /** When there is a move next, unless an event comes before. */
  readonly wakeAt: Instant;
}

/** A name may cease to exist, and a query for its address then puts a negative answer into the cache for 30 s. */
const existenceHoldsMs = 1000;
/** A pod that refuses runs, and its broker is about to listen; after this time it may be another pod with a dead pod's address. */
const trustRefusedMs = 1000;
const askSlicesAgainMs = 5000;

/** The moves that are due now. */
export function nextMoves(wait: Wait, waitFor: WaitFor, now: Instant): Moves {
  const connect = [...wait.candidates.values()].filter(
    ({ trying, nextTryAt }) => trying === undefined && nextTryAt <= now,
  );
  const questionAt = nextQuestionAt(wait, waitFor);
  const later = [...wait.candidates.values()].flatMap(({ trying, nextTryAt }) =>
    trying === undefined && nextTryAt > now ? [nextTryAt] : [],
  );
  return {
    ask: [
      ...(wait.wantsService ? [{ of: 'service' } as const] : []),
      ...(questionAt <= now ? lookups(wait, waitFor, now) : []),
    ],
    connect: connect.map(({ address }) => address),
    wakeAt: Math.min(...later, questionAt > now ? questionAt : Number.POSITIVE_INFINITY),
  };
}

/** When the name servers are asked next; Infinity while a query is under way, or for never. */
export function nextQuestionAt(wait: Wait, { parent, size }: WaitFor): Instant {
  if (wait.asking || !parent) return Number.POSITIVE_INFINITY;
  if (wait.existsAt === undefined) return wait.notBefore;
  const { at } = nextAddress(wait, size);
  // Where no address refuses, the name is asked for as well: that it exists again means a new address.
  return refusedSince(wait.candidates) === undefined ? Math.min(at, wait.notBefore) : at;
}

/** The next query for the address, and when it is due. */
function nextAddress({ cacheKeys, candidates, addressNotBefore }: Wait, size: number) {
  const since = refusedSince(candidates);
  const key = nextKey(cacheKeys, since !== undefined);
  const trusted =
    since === undefined || key.isPlain
      ? addressNotBefore
      : since + Math.max(trustRefusedMs, intervalMs(size));
  return { ...key, at: Math.max(key.at, trusted, addressNotBefore) };
}

function lookups(wait: Wait, { size, endpointSlices }: WaitFor, now: Instant): Lookup[] {
  const { lookup, at, isPlain } = nextAddress(wait, size);
  const exists = wait.existsAt !== undefined && wait.existsAt > now - existenceHoldsMs;
  if (!exists || at > now) return [{ of: 'existence' }];
  const slicesDue = wait.slicesAskedAt === undefined || now - wait.slicesAskedAt > askSlicesAgainMs;
  const asksSlices = endpointSlices && !isPlain && size <= largestListed && slicesDue;
  return [lookup, ...(asksSlices ? [{ of: 'endpoint-slices' } as const] : [])];
}
