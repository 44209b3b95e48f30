/** The state of a wait for the parent, and the events that change it. */

import type { Reply } from '../query/dns-message.ts';
import { type Lookup, largestListed, type NameLookup, type ParentName } from '../query/lookup.ts';
import { firstDelayMs, intervalMs } from './backoff.ts';
import { type CacheKeys, unusedKeys } from './cache-keys.ts';
import { addAnswer, type Candidates, lostParent } from './candidates.ts';
import type { NegativeAnswers } from './negative-cache.ts';
import type { Instant } from './wait-reason.ts';

/** The constants of a wait. */
export interface WaitFor {
  /** Undefined where the parent is given by its address: then there are no queries. */
  readonly parent: ParentName | undefined;
  readonly size: number;
  readonly rank: number;
  /** Whether the API server may be asked. */
  readonly endpointSlices: boolean;
}

export interface Wait {
  readonly startedAt: Instant;
  /** Whether a query is under way: one at a time, beside those for the Service and to the API server. */
  readonly asking: boolean;
  /** The earliest time of the next query, and of the next query for an address. */
  readonly notBefore: Instant;
  readonly addressNotBefore: Instant;
  /** Answered queries, for the backoff. */
  readonly attempt: number;
  /** The error of the last query: `no answer`, or the server's code. */
  readonly trouble: string | undefined;
  /** When the name was last known to exist, and whether the last answer was NXDOMAIN. */
  readonly existsAt: Instant | undefined;
  readonly isNameMissing: boolean;
  readonly negatives: NegativeAnswers | undefined;
  readonly noAddress: 'negative answer for the address' | 'no address of this family' | undefined;
  /** Whether to ask for the Service's name, when that was done last, and whether it does not exist. */
  readonly wantsService: boolean;
  readonly serviceAskedAt: Instant | undefined;
  readonly isServiceMissing: boolean;
  readonly slicesAskedAt: Instant | undefined;
  readonly cacheKeys: CacheKeys;
  readonly candidates: Candidates;
}

export type Event =
  | { readonly kind: 'asked'; readonly lookup: Lookup }
  | { readonly kind: 'answered'; readonly lookup: NameLookup; readonly reply: Reply | undefined }
  | { readonly kind: 'slices'; readonly addresses: readonly string[] }
  | { readonly kind: 'connecting'; readonly address: string }
  | { readonly kind: 'not connected'; readonly address: string; readonly seen: string }
  /** It accepts, and is not the parent; without `whose`, no PTR record names its pod. */
  | { readonly kind: 'not the parent'; readonly address: string; readonly whose: string | undefined };

/** An address that was in no answer for so long is another pod's by now. */
export const forgetMs = ({ size }: Pick<WaitFor, 'size'>): number => Math.max(60_000, 3 * intervalMs(size));

export function beginWait(
  { parent, size, rank }: WaitFor,
  /** Addresses to connect to at once: the parent's own where it is given by its address, else those before it was lost. */
  addresses: readonly string[],
  at: Instant,
  random: number,
  /** After the wait before; its parent may have been replaced since. */
  cacheKeys = unusedKeys(size > largestListed || !parent?.service ? ['peers'] : []),
): Wait {
  return {
    startedAt: at,
    asking: false,
    notBefore: at + (parent ? firstDelayMs(rank, size, random) : 0),
    addressNotBefore: at,
    attempt: 0,
    trouble: undefined,
    existsAt: undefined,
    isNameMissing: false,
    negatives: undefined,
    noAddress: undefined,
    wantsService: false,
    serviceAskedAt: undefined,
    isServiceMissing: false,
    slicesAskedAt: undefined,
    cacheKeys: { ...cacheKeys, isUpToDate: false },
    candidates: parent ? lostParent(addresses, at) : addAnswer(new Map(), addresses, true, at, 0),
  };
}
