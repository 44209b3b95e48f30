/** The state of a wait for the parent: what has been seen so far, and what can happen. */

import type { Reply } from '../query/dns-message.ts';
import { type Lookup, largestListed, type NameLookup, type ParentName } from '../query/lookup.ts';
import { firstPauseMs, shareMs } from './backoff.ts';
import { type Freshness, untouched } from './cache-keys.ts';
import { type Candidates, given, left } from './candidates.ts';
import type { Denials } from './negative-cache.ts';
import type { Instant } from './wait-reason.ts';

/** What stays the same during a wait. */
export interface WaitFor {
  /** Undefined where the parent is given by its address: then nothing is asked. */
  readonly parent: ParentName | undefined;
  readonly size: number;
  readonly rank: number;
  /** Whether the API server may be asked. */
  readonly endpointSlices: boolean;
}

export interface Wait {
  readonly startedAt: Instant;
  /** Whether a question is under way; there is one at a time, besides those about the Service and to the API server. */
  readonly asking: boolean;
  /** Before when nothing is asked, before when no address. */
  readonly notBefore: Instant;
  readonly addressNotBefore: Instant;
  /** Questions answered, for the growing pauses. */
  readonly attempt: number;
  /** Why the last question was no help: `no answer`, or the server's code. */
  readonly trouble: string | undefined;
  /** When the name was last seen to exist, and whether it was last denied. */
  readonly existsAt: Instant | undefined;
  readonly nameDenied: boolean;
  readonly denials: Denials | undefined;
  readonly addressDenied: 'address denied' | 'no address of this family' | undefined;
  /** Whether to ask for the Service's name, when that was done last, and whether it was denied. */
  readonly wantsService: boolean;
  readonly serviceAskedAt: Instant | undefined;
  readonly serviceDenied: boolean;
  readonly slicesAskedAt: Instant | undefined;
  readonly freshness: Freshness;
  readonly candidates: Candidates;
}

export type Event =
  | { readonly kind: 'asked'; readonly lookup: Lookup }
  | { readonly kind: 'answered'; readonly lookup: NameLookup; readonly reply: Reply | undefined }
  | { readonly kind: 'slices'; readonly addresses: readonly string[] }
  | { readonly kind: 'connecting'; readonly address: string }
  | { readonly kind: 'not connected'; readonly address: string; readonly seen: string }
  /** It accepts, and is not the parent; or, without `whose`, nobody can tell. */
  | { readonly kind: 'not the parent'; readonly address: string; readonly whose: string | undefined };

/** An address that no answer has had for so long is somebody else's by now. */
export const forgetMs = ({ size }: Pick<WaitFor, 'size'>): number => Math.max(60_000, 3 * shareMs(size));

export function beginWait(
  { parent, size, rank }: WaitFor,
  /** Addresses to connect to at once: the parent's own where it is given by that, else where it was before. */
  addresses: readonly string[],
  at: Instant,
  random: number,
): Wait {
  return {
    startedAt: at,
    asking: false,
    notBefore: at + (parent ? firstPauseMs(rank, size, random) : 0),
    addressNotBefore: at,
    attempt: 0,
    trouble: undefined,
    existsAt: undefined,
    nameDenied: false,
    denials: undefined,
    addressDenied: undefined,
    wantsService: false,
    serviceAskedAt: undefined,
    serviceDenied: false,
    slicesAskedAt: undefined,
    freshness: untouched(size > largestListed || !parent?.service ? ['peers'] : []),
    candidates: parent ? left(addresses, at) : given(new Map(), addresses, true, at, 0),
  };
}
