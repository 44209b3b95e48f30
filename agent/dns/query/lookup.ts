/**
 * What can be asked on the way to the parent, and in which order. Only `address` is asked where all goes well; the others are
 * for answers that are wrong because some cache keeps them: each is kept under a key of its own.
 */
import type { KeyBits, Question } from './dns-message.ts';

/** One thing to ask. */
export type Lookup = NameLookup | { readonly of: 'endpoint-slices' };

/** One thing to ask a name server. */
export type NameLookup =
  /** Whether the parent's name exists, or the Service's: by a type that nobody serves. */
  | { readonly of: 'existence' | 'service' }
  /** The parent's address. */
  | ({ readonly of: 'address' } & KeyBits)
  /**
   * The parent's address as it comes along with its SRV record. CoreDNS serves those for a pod's own name as well as for
   * `_PORT._tcp.SERVICE`, without our having to know the port's name, if the Service has any port (plugin/kubernetes, findServices).
   */
  | ({ readonly of: 'srv' } & KeyBits)
  /** All addresses of the Service. Which pod has which is then asked of those that accept (PTR). */
  | ({ readonly of: 'peers' } & KeyBits);

/**
 * Beyond this size the Service's list is not asked for: all pods together would send the square of their number of SYNs, and a
 * list of 4,000 exceeds what DNS can say. The same holds for the API server's.
 */
export const largestListed = 256;

/** The parent as it is asked for. */
export interface ParentName {
  readonly name: string;
  /** The name above, where the parent is a pod's: that of its Service. */
  readonly service?: string;
  readonly family: 4 | 6;
}

/** `mc-0.flux-service.default.svc.cluster.local` is a pod of `flux-service.default.svc.cluster.local`. */
export function serviceOf(name: string): string | undefined {
  const [, service] = /^[^.]+\.([^.]+\.[^.]+\.svc\..+)$/.exec(name) ?? [];
  return service;
}

/** The question to a name server; `throwAway` gives the type that asks for existence. */
export function questionFor(
  lookup: NameLookup,
  { name, service, family }: ParentName,
  throwAway: () => string,
): Question {
  const address = family === 6 ? 'AAAA' : 'A';
  switch (lookup.of) {
    case 'existence':
      return { name, type: throwAway() };
    case 'service':
      return { name: service ?? name, type: throwAway() };
    case 'address':
      return { name, type: address, ...bitsOf(lookup) };
    case 'srv':
      return { name, type: 'SRV', ...bitsOf(lookup) };
    case 'peers':
      return { name: service ?? name, type: address, ...bitsOf(lookup) };
  }
}

const bitsOf = ({ dnssecOk = false, checkingDisabled = false }: KeyBits) => ({ dnssecOk, checkingDisabled });

/** Types that nobody has assigned or that are for private use (RFC 6895, section 3.1): from `first` on, so many. */
const unassigned = [
  { first: 1024, count: 31_744 },
  { first: 32_770, count: 32_765 },
] as const;
const typeCount = unassigned[0].count + unassigned[1].count;

/**
 * Throw-away types, so that each denial is cached under a key of its own. A pod that hits upon a type that was denied to another
 * misses the name once, so each rank has a range to itself, in which steps of the golden ratio come upon no type twice for long.
 */
export function throwAwayTypes(rank: number, size: number, random: number): () => string {
  const goldenRatio = (Math.sqrt(5) - 1) / 2;
  const range = Math.max(1, Math.floor(typeCount / size));
  let place = random;
  return () => {
    place = (place + goldenRatio) % 1;
    const index = (rank * range + Math.floor(place * range)) % typeCount;
    const [low, high] = unassigned;
    return `UNKNOWN_${index < low.count ? low.first + index : high.first + index - low.count}`;
  };
}
