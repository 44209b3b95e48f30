/**
 * Which question about the parent's address to ask next. Each is kept by caches under a key of its own, and until its TTL has passed its
 * answer cannot change: a key is spent by asking. So they are asked one after the other, and saved up when asking cannot help.
 */

import type { KeyBits, Reply } from '../query/dns-message.ts';
import type { NameLookup } from '../query/lookup.ts';
import type { Instant } from './wait-reason.ts';

/** The four keys of each type. The plain one first: it is the one that other programs have asked, and shared by all. */
const keyBits: readonly KeyBits[] = [
  {},
  { dnssecOk: true },
  { checkingDisabled: true },
  { dnssecOk: true, checkingDisabled: true },
];

/** In the order of what they cost: an address more, a larger answer, an answer as large as the cluster and SYNs to all of it. */
const keys: readonly (NameLookup & KeyBits)[] = (['address', 'srv', 'peers'] as const).flatMap((of) =>
  keyBits.map((bits) => ({ of, ...bits })),
);

export interface Freshness {
  /** Until when what a key gave is kept; undefined: it has not been asked. */
  readonly keptUntil: readonly (Instant | undefined)[];
  /** The whole TTL of what is not out of a cache, as far as has been seen, in seconds. */
  readonly wholeTtl: number;
  /** An answer that was not out of a cache gave what is known already: it is the truth, and other keys would say the same. */
  readonly isTruth: boolean;
  /** Kinds that have turned out to be no use here. */
  readonly barred: ReadonlySet<'srv' | 'peers' | 'dnssecOk'>;
}

export const untouched = (barred: readonly 'peers'[]): Freshness => ({
  keptUntil: keys.map(() => undefined),
  wholeTtl: 0,
  isTruth: false,
  barred: new Set(barred),
});

/** A denial without an SOA, and an answer that is not to be kept, say nothing: these are sensible. */
const unknownTtl = 5;
const leastTtl = 1;
/** However long an answer may be kept: a name server may be restarted, and forget it. */
const mostTtl = 60;

/** The key to ask next, and when: the first in order that has not been asked, else the one that is forgotten first. */
export function nextKey(
  { keptUntil, barred }: Freshness,
  onlyAddress: boolean,
): { readonly lookup: NameLookup; readonly at: Instant; readonly isPlain: boolean } {
  const open = keys.flatMap((lookup, index) => {
    const isOpen =
      !(lookup.dnssecOk && barred.has('dnssecOk')) &&
      !(onlyAddress && lookup.of !== 'address') &&
      !((lookup.of === 'srv' || lookup.of === 'peers') && barred.has(lookup.of));
    return isOpen ? [{ lookup, at: keptUntil[index] ?? Number.NEGATIVE_INFINITY, isPlain: index === 0 }] : [];
  });
  return open.reduce((first, key) => (key.at < first.at ? key : first));
}

/** How far apart keys are to be asked so that there is always another to ask, while none is expected to say anything new. */
export function spacingMs({ wholeTtl, barred }: Freshness): number {
  const kinds = 3 - Number(barred.has('srv')) - Number(barred.has('peers'));
  return (wholeTtl * 1000) / (kinds * (barred.has('dnssecOk') ? 2 : 4));
}

/** After an answer. `brought`: whether it had an address that was not known. */
export function answeredBy(
  freshness: Freshness,
  lookup: NameLookup,
  reply: Reply,
  brought: boolean,
  empty: boolean,
  at: Instant,
): Freshness {
  const ttl = Math.min(reply.keptSeconds ?? unknownTtl, mostTtl);
  const wholeTtl = Math.max(freshness.wholeTtl, ttl);
  const barred = new Set(freshness.barred);
  if (reply.dnssecOkRefused) barred.add('dnssecOk');
  // NODATA: the Service has no ports (plugin.SRV of CoreDNS leaves out endpoints without).
  if (lookup.of === 'srv' && reply.rcode === 'NOERROR' && empty) barred.add('srv');
  return {
    ...kept(freshness, lookup, at + Math.max(ttl, leastTtl) * 1000),
    wholeTtl,
    barred,
    isTruth: !empty && !brought && ttl >= wholeTtl,
  };
}

/** No answer: the plain key is asked again, it is the cheapest; the others may be what got lost for (a firewall that drops EDNS). */
export function unanswered(freshness: Freshness, lookup: NameLookup, at: Instant): Freshness {
  return lookup === keys[0] ? freshness : kept(freshness, lookup, at + leastTtl * 1000);
}

/** The TTL of a denial that is not out of a cache: that of a type which nobody has asked. */
export const seenTtl = (freshness: Freshness, { keptSeconds = 0 }: Reply): Freshness => ({
  ...freshness,
  wholeTtl: Math.max(freshness.wholeTtl, Math.min(keptSeconds, mostTtl)),
});

export const bar = (freshness: Freshness, kind: 'peers'): Freshness => ({
  ...freshness,
  barred: new Set([...freshness.barred, kind]),
});

const kept = (freshness: Freshness, lookup: NameLookup, until: Instant): Freshness => ({
  ...freshness,
  keptUntil: keys.map((key, index) => (key === lookup ? until : freshness.keptUntil[index])),
});
