/**
 * The queries on the way to the parent, in their order. Only `existence` and `address` are needed where no cache is stale; each of the
 * others has a cache key of its own.
 */
import type { KeyBits, Question } from './dns-message.ts';

/** One query, to a name server or to the API server. */
export type Lookup = NameLookup | { readonly of: 'endpoint-slices' };

/** One query to a name server. */
export type NameLookup =
  /** Whether the parent's name exists, or the Service's: by an unassigned type. */
  | { readonly of: 'existence' | 'service' }
  /** The parent's address. */
  | ({ readonly of: 'address' } & KeyBits)
  /**
   * The parent's address as it comes along with its SRV record. CoreDNS serves those for a pod's own name as well as for
   * `_PORT._tcp.SERVICE`, if the Service has any port (plugin/kubernetes, findServices): the port's name is not needed.
   */
  | ({ readonly of: 'srv' } & KeyBits)
  /** All addresses of the Service. The pod of an address that accepts connections is then asked for (PTR). */
  | ({ readonly of: 'peers' } & KeyBits);

/**
 * The largest instance that asks for the Service's list, from DNS or from the API server: all pods together send the square of their
 * number of SYNs, and a list of 4,000 exceeds a DNS message.
 */
export const largestListed = 256;

/** The parent's names. */
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

/** The question to a name server; `unassignedType` gives the type that asks for existence. */
export function questionFor(
  lookup: NameLookup,
  { name, service, family }: ParentName,
  unassignedType: () => string,
): Question {
  const address = family === 6 ? 'AAAA' : 'A';
  switch (lookup.of) {
    case 'existence':
      return { name, type: unassignedType() };
    case 'service':
      return { name: service ?? name, type: unassignedType() };
    case 'address':
      return { name, type: address, ...bitsOf(lookup) };
    case 'srv':
      return { name, type: 'SRV', ...bitsOf(lookup) };
    case 'peers':
      return { name: service ?? name, type: address, ...bitsOf(lookup) };
  }
}

const bitsOf = ({ dnssecOk = false, checkingDisabled = false }: KeyBits) => ({ dnssecOk, checkingDisabled });
