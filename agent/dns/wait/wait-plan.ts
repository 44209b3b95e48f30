/**
 * What to ask next on the way to the parent, where to connect, and when, given what has been seen. Pure, as wait-events.ts is: events go
 * in with the clock's reading and a random number, moves come out, so that 10,000 pods can be played through in a test.
 */

import { type Lookup, largestListed } from '../query/lookup.ts';
import { shareMs } from './backoff.ts';
import { nextKey } from './cache-keys.ts';
import { refusedSince } from './candidates.ts';
import type { Instant } from './wait-reason.ts';
import type { Wait, WaitFor } from './wait-state.ts';

export interface Moves {
  readonly ask: readonly Lookup[];
  readonly connect: readonly string[];
  /** When there is something to do next if nothing happens before. */
  readonly wakeAt: Instant;
}

/** An existing name may cease to exist, and whoever then asks for its address has that denied to all for 30 s. */
const existenceHoldsMs = 1000;
/** A pod that refuses lives, and its broker is about to listen; for longer than this it may be somebody else who got a dead pod's address. */
const trustRefusedMs = 1000;
const askSlicesAgainMs = 5000;

/** What to do now. */
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

/** When the name servers are asked next; Infinity while they are being asked, or never. */
export function nextQuestionAt(wait: Wait, { parent, size }: WaitFor): Instant {
  if (wait.asking || !parent) return Number.POSITIVE_INFINITY;
  if (wait.existsAt === undefined) return wait.notBefore;
  const { at } = nextAddress(wait, size);
  // Somebody is there. Otherwise whether the name still exists, and exists again, tells that there is something new to ask for.
  return refusedSince(wait.candidates) === undefined ? Math.min(at, wait.notBefore) : at;
}

/** The next question about the address, and when it may be asked. */
function nextAddress({ freshness, candidates, addressNotBefore }: Wait, size: number) {
  const since = refusedSince(candidates);
  const key = nextKey(freshness, since !== undefined);
  const trusted =
    since === undefined || key.isPlain ? addressNotBefore : since + Math.max(trustRefusedMs, shareMs(size));
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
