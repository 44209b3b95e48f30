import { isIP } from 'node:net';
import { reverseName } from '../../agent/dns/message.ts';

/** The answer of a zone to a name and a type: NOERROR without addresses is NODATA (RFC 2308, section 2.2). */
export interface Finding {
  rcode: 'NOERROR' | 'NXDOMAIN' | 'REFUSED';
  addresses: readonly string[];
  /** To a question for PTR: the pods that have the address. */
  pointers?: readonly string[];
  /** To a question for SRV: where the pod's port is, with its address. */
  target?: { readonly port: number; readonly addresses: readonly string[] };
}

/** The records of one cluster domain. */
export interface Zone {
  /** The cluster domain, lower case, without dots at its ends. */
  readonly domain: string;
  /** Grows with every change: the SOA's serial. */
  readonly serial: number;
  publish(name: string, address: string): void;
  withdraw(name: string, address?: string): void;
  find(name: string, type: string): Finding;
}

/**
 * The names that CoreDNS's `kubernetes` plugin serves for headless Services, held in memory.
 *
 * A pod's address is published under the pod's name, `POD.SERVICE.NAMESPACE.svc.DOMAIN`, and is one of the addresses of the
 * Service's name. The names above these exist, without data, for as long as something is published below them
 * (RFC 8020); a Service without pods has no name, as in CoreDNS (`plugin/kubernetes/kubernetes.go`, findServices).
 * An address's reverse name points to its pods (kubeadm's Corefile has `in-addr.arpa ip6.arpa`), and where the Service has a port, a pod's
 * name has an SRV record. Every other name outside the domain is REFUSED: this server is not asked to be anyone's resolver.
 */
export function makeZone(domain: string, servicePort?: number): Zone {
  const apex = canonicalName(domain);
  const records = new Map<string, Set<string>>();
  let serial = 1;

  return {
    domain: apex,
    get serial() {
      return serial;
    },

    publish(name, address) {
      const owner = canonicalName(name);
      if (!owner.endsWith(`.${apex}`)) {
        throw new RangeError(`Cannot publish "${name}": it is not below the domain "${apex}"`);
      }
      if (isIP(address) === 0) {
        throw new RangeError(`Cannot publish "${name}": "${address}" is not an IP address`);
      }
      const addresses = records.get(owner) ?? new Set();
      records.set(owner, addresses.add(address));
      serial += 1;
    },

    withdraw(name, address) {
      const owner = canonicalName(name);
      const addresses = records.get(owner);
      if (address === undefined) addresses?.clear();
      else addresses?.delete(address);
      if (addresses?.size === 0) records.delete(owner);
      serial += 1;
    },

    find(name, type) {
      const owner = canonicalName(name);
      if (/\.(in-addr|ip6)\.arpa$/.test(owner)) return reverse(records, owner, type);
      if (owner !== apex && !owner.endsWith(`.${apex}`)) return { rcode: 'REFUSED', addresses: [] };
      const service = isServiceName(owner, apex);
      const addresses = new Set(records.get(owner));
      let exists = owner === apex || addresses.size > 0;
      for (const [published, more] of exists && !service ? [] : records) {
        if (!published.endsWith(`.${owner}`)) continue;
        exists = true;
        if (!service) break;
        for (const address of more) addresses.add(address);
      }
      const family = type === 'A' ? 4 : type === 'AAAA' ? 6 : undefined;
      const hasPort = type === 'SRV' && servicePort !== undefined && records.has(owner);
      return {
        ...(hasPort && { target: { port: servicePort, addresses: [...addresses] } }),
        rcode: exists ? 'NOERROR' : 'NXDOMAIN',
        addresses: [...addresses].filter((address) => isIP(address) === family),
      };
    },
  };
}

function reverse(records: ReadonlyMap<string, ReadonlySet<string>>, owner: string, type: string): Finding {
  const pods = [...records].filter(([, addresses]) =>
    [...addresses].some((address) => reverseName(address) === owner),
  );
  const pointers = type === 'PTR' ? pods.map(([pod]) => pod) : [];
  return { rcode: pods.length > 0 ? 'NOERROR' : 'NXDOMAIN', addresses: [], pointers };
}

/** A name as it is compared: lower case (RFC 4343), without the root's dot. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** Whether this is SERVICE.NAMESPACE.svc.DOMAIN. */
function isServiceName(name: string, domain: string): boolean {
  const labels = name.slice(0, -domain.length - 1).split('.');
  return labels.length === 3 && labels[2] === 'svc';
}
