/**
 * The cache keys of the parent's address: type, DO and CD (CoreDNS plugin/cache/cache.go, hash). A cached answer does not change before its
 * TTL has passed, so a query uses its key up for that time. The keys are used one after the other, and saved where a query is useless.
 */

import type { KeyBits, Reply } from '../query/dns-message.ts';
import type { NameLookup } from '../query/lookup.ts';
import type { Instant } from './wait-reason.ts';

/** The four keys of each type. The plain one first: it is the one that other programs use. */
const keyBits: readonly KeyBits[] = [
  {},
  { dnssecOk: true },
  { checkingDisabled: true },
  { dnssecOk: true, checkingDisabled: true },
];

/** In the order of their cost: one address, a larger answer, an answer as large as the cluster with SYNs to all of it. */
const keys: readonly (NameLookup & KeyBits)[] = (['address', 'srv', 'peers'] as const).flatMap((of) =>
  keyBits.map((bits) => ({ of, ...bits })),
);

export interface CacheKeys {
  /** Until when the answer of each key is cached; undefined where the key is unused. */
  readonly cachedUntil: readonly (Instant | undefined)[];
  /** The longest TTL seen, in seconds: that of an answer that does not come out of a cache. */
  readonly wholeTtl: number;
  /** An answer that did not come out of a cache had the known addresses: other keys have the same. */
  readonly isUpToDate: boolean;
  /** Kinds that are useless here. */
  readonly barred: ReadonlySet<'srv' | 'peers' | 'dnssecOk'>;
}

/** What a pod's queries have left in the caches, for its next wait. */
export interface KeyMemory {
  cacheKeys?: CacheKeys;
}

export const unusedKeys = (barred: readonly 'peers'[]): CacheKeys => ({
  cachedUntil: keys.map(() => undefined),
  wholeTtl: 0,
  isUpToDate: false,
  barred: new Set(barred),
});

/** For a negative answer without an SOA, and for an answer with the TTL 0. */
const unknownTtl = 5;
const leastTtl = 1;
/** However long the TTL: a restarted name server has an empty cache. */
const mostTtl = 60;

/** The key of the next query, and when: the first unused one in order, else the one whose answer expires first. */
export function nextKey(
  { cachedUntil, barred }: CacheKeys,
  onlyAddress: boolean,
): { readonly lookup: NameLookup; readonly at: Instant; readonly isPlain: boolean } {
  const open = keys.flatMap((lookup, index) => {
    const isOpen =
      !(lookup.dnssecOk && barred.has('dnssecOk')) &&
      !(onlyAddress && lookup.of !== 'address') &&
      !((lookup.of === 'srv' || lookup.of === 'peers') && barred.has(lookup.of));
    return isOpen
      ? [{ lookup, at: cachedUntil[index] ?? Number.NEGATIVE_INFINITY, isPlain: index === 0 }]
      : [];
  });
  return open.reduce((first, key) => (key.at < first.at ? key : first));
}

/** The interval between queries at which there is always a usable key, while no answer is expected to be new. */
export function spacingMs({ wholeTtl, barred }: CacheKeys): number {
  const kinds = 3 - Number(barred.has('srv')) - Number(barred.has('peers'));
  return (wholeTtl * 1000) / (kinds * (barred.has('dnssecOk') ? 2 : 4));
}

/** After an answer. `brought`: whether it had an unknown address. */
export function answeredBy(
  cacheKeys: CacheKeys,
  lookup: NameLookup,
  reply: Reply,
  brought: boolean,
  empty: boolean,
  at: Instant,
): CacheKeys {
  const ttl = Math.min(reply.ttl ?? unknownTtl, mostTtl);
  const wholeTtl = Math.max(cacheKeys.wholeTtl, ttl);
  const barred = new Set(cacheKeys.barred);
  if (reply.dnssecOkRefused) barred.add('dnssecOk');
  // NODATA: the Service has no ports (plugin.SRV of CoreDNS leaves out endpoints without).
  if (lookup.of === 'srv' && reply.rcode === 'NOERROR' && empty) barred.add('srv');
  return {
    ...used(cacheKeys, lookup, at + Math.max(ttl, leastTtl) * 1000),
    wholeTtl,
    barred,
    isUpToDate: !empty && !brought && ttl >= wholeTtl,
  };
}

/** No answer: the plain key stays usable, it is the cheapest; a firewall may drop the others (EDNS). */
export function unanswered(cacheKeys: CacheKeys, lookup: NameLookup, at: Instant): CacheKeys {
  return lookup === keys[0] ? cacheKeys : used(cacheKeys, lookup, at + leastTtl * 1000);
}

/** The TTL of a negative answer to a type that no pod has used: it does not come out of a cache. */
export const seenTtl = (cacheKeys: CacheKeys, { ttl = 0 }: Reply): CacheKeys => ({
  ...cacheKeys,
  wholeTtl: Math.max(cacheKeys.wholeTtl, Math.min(ttl, mostTtl)),
});

export const bar = (cacheKeys: CacheKeys, kind: 'peers'): CacheKeys => ({
  ...cacheKeys,
  barred: new Set([...cacheKeys.barred, kind]),
});

const used = (cacheKeys: CacheKeys, lookup: NameLookup, until: Instant): CacheKeys => ({
  ...cacheKeys,
  cachedUntil: keys.map((key, index) => (key === lookup ? until : cacheKeys.cachedUntil[index])),
});
