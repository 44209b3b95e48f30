import type { InterfaceAddress, PodFacts } from './facts.ts';
import { parseResolvConf } from './resolv-conf.ts';

/** The identity that is detected from a pod; a part that it does not have is absent. */
export interface ReadIdentity {
  readonly index?: number;
  readonly cluster?: string;
  readonly service?: string;
  readonly namespace?: string;
  readonly domain?: string;
  readonly address?: string;
  readonly interface?: string;
}

/**
 * Detects the pod's identity: index and cluster from the hostname; Service, namespace and domain from the FQDN that the kubelet writes into
 * /etc/hosts (and under `setHostnameAsFQDN` from the hostname), else from the search list of resolv.conf and the service account.
 * Never from the pod's metadata.name, which is truncated. `chosenInterface` narrows the search for the address.
 */
export function readIdentity(facts: PodFacts, chosenInterface?: string): ReadIdentity {
  const name = parsePodHostname(facts.hostname);
  const own = ownHostsEntry(facts);
  const fqdn = parsePodFqdn(own?.fqdn ?? '') ?? parsePodFqdn(facts.hostname);
  const searched = parseSearchList(facts.resolvConf);
  const namespace = fqdn?.namespace ?? searched?.namespace ?? (facts.namespaceFile.trim() || undefined);
  const domain = fqdn?.domain ?? searched?.domain;
  const held = ownAddress(facts.interfaces, own?.addresses ?? [], chosenInterface);
  return {
    ...name,
    ...(fqdn && { service: fqdn.service }),
    ...(namespace && { namespace }),
    ...(domain && { domain }),
    ...(held && { address: held.address, interface: held.interface }),
  };
}

/**
 * `a-b-2-c-13` is index 13 of cluster `a-b-2-c`: the number after the last hyphen of the first label.
 * Undefined where the hostname does not end in one.
 */
export function parsePodHostname(hostname: string): { cluster: string; index: number } | undefined {
  const match = /^(.+)-(0|[1-9]\d{0,6})$/.exec(firstLabel(hostname));
  return match?.[1] === undefined ? undefined : { cluster: match[1], index: Number(match[2]) };
}

export const firstLabel = (name: string): string => name.split('.', 1)[0] ?? '';

/** `mc-0.flux-service.default.svc.cluster.local` -> Service, namespace and domain; undefined for any other name. */
function parsePodFqdn(name: string): { service: string; namespace: string; domain: string } | undefined {
  const [, service, namespace, svc, ...domain] = name.replace(/\.$/, '').split('.');
  if (!service || !namespace || svc !== 'svc' || domain.length === 0) return undefined;
  return { service, namespace, domain: domain.join('.') };
}

/** The kubelet's search list starts `NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN`. */
function parseSearchList(resolvConf: string): { namespace: string; domain: string } | undefined {
  for (const name of parseResolvConf(resolvConf).search) {
    const match = /^([^.]+)\.svc\.(.+)$/.exec(name);
    if (match?.[1] && match[2]) return { namespace: match[1], domain: match[2] };
  }
  return undefined;
}

/** The lines of /etc/hosts (hosts(5)) that name this pod; a dual-stack pod has one a family, the primary first. */
function ownHostsEntry(facts: PodFacts): { addresses: string[]; fqdn: string } | undefined {
  const lines = facts.etcHosts
    .split('\n')
    .map((line) => (line.split('#', 1)[0] ?? '').trim().split(/\s+/))
    .filter(([, ...names]) =>
      names.some((name) => name === facts.hostname || name === firstLabel(facts.hostname)),
    );
  if (lines.length === 0) return undefined;
  const names = lines.flatMap(([, ...lineNames]) => lineNames);
  return {
    addresses: lines.map(([address]) => address ?? ''),
    fqdn: names.find((name) => firstLabel(name) === firstLabel(facts.hostname) && name.includes('.')) ?? '',
  };
}

/** The address that /etc/hosts gives the pod, if an interface holds it; else the first there is besides loopback. */
function ownAddress(
  interfaces: readonly InterfaceAddress[],
  addresses: readonly string[],
  chosenInterface: string | undefined,
): InterfaceAddress | undefined {
  const candidates = interfaces.filter((held) =>
    chosenInterface === undefined ? !held.loopback : held.interface === chosenInterface,
  );
  const named = addresses.map((address) => candidates.find((held) => held.address === address));
  return (
    named.find((held) => held !== undefined) ?? candidates.find(({ family }) => family === 4) ?? candidates[0]
  );
}
