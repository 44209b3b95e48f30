import type { HostPort } from '../address.ts';
import { formatHostlist, formatIndexedHosts, parseHostlist } from '../cluster/hostlist.ts';
import { createTopology, parseTopology, type Tree } from '../cluster/topology.ts';
import type { Configuration } from '../config/configuration.ts';
import { ExitCode, messageOf, PodError } from '../errors.ts';
import { firstLabel } from '../pod/identity.ts';

/** The broker to which a follower connects. */
export interface Parent {
  readonly rank: number;
  /** Its entry in the host list. */
  readonly host: string;
  /** Its absolute name (without closing dot) or its address. */
  readonly target: HostPort;
}

/** This pod's place in the Flux instance. */
export interface Membership {
  readonly rank: number;
  /** The number of configured hosts, online or not. */
  readonly size: number;
  /** All hosts in rank order, an RFC 29 hostlist. */
  readonly hostlist: string;
  /** This pod's entry in the list. */
  readonly host: string;
  /** False where gethostname(2) returns another name than `host`: the broker then needs `-Shostname`. */
  readonly hostIsHostname: boolean;
  /** The suffix that makes a host's name a name in DNS, such as `.flux-service.default.svc.cluster.local`. */
  readonly dnsSuffix: string;
  readonly parent: Parent | undefined;
  readonly tree: Tree;
}

/**
 * Rank, host list and parent by the configuration. The list is `CLUSTER-[0-N]`, or `FLUX_POD_HOSTS` when bursting; entries are
 * what gethostname(2) returns in each pod, so under `setHostnameAsFQDN` they are FQDNs.
 * Throws a PodError (exit 78) when `FLUX_POD_HOSTS` cannot be parsed or lacks this pod.
 */
export function membershipOf(configuration: Configuration): Membership {
  const { cluster, index, hostname, maxSize, topo } = configuration;
  const label = `${cluster}-${index}`;
  const hostIsHostname = firstLabel(hostname) === label;
  const host = hostIsHostname ? hostname : label;
  const fqdnSuffix = host.slice(label.length);
  const dnsSuffix = fqdnSuffix === '' ? serviceSuffix(configuration) : '';
  const listed = configuration.hosts === undefined ? undefined : parseHosts(configuration.hosts, host);
  const size = listed?.length ?? maxSize;
  const rank = listed?.indexOf(host) ?? index;
  const tree = createTopology(parseTopology(topo), size);
  const parentRank = tree.parentOf(rank);
  const hostOf = (other: number) => listed?.[other] ?? `${cluster}-${other}${fqdnSuffix}`;
  return {
    rank,
    size,
    // Formatted again: the broker takes line ends, and brackets after the first, for parts of a name.
    hostlist: listed ? formatHostlist(listed) : formatIndexedHosts(`${cluster}-`, size, fqdnSuffix),
    host,
    hostIsHostname,
    dnsSuffix,
    parent:
      parentRank === undefined
        ? undefined
        : {
            rank: parentRank,
            host: hostOf(parentRank),
            target:
              parentRank === 0 && configuration.leader
                ? configuration.leader
                : { host: `${hostOf(parentRank)}${dnsSuffix}`, port: configuration.port },
          },
    tree,
  };
}

/**
 * The name of this instance among those with the same certificate, the same in all of its pods. An instance that spans
 * Kubernetes clusters (FLUX_POD_HOSTS) has another namespace and cluster name in each, and the host list in common.
 */
export const instanceName = (
  { hosts, namespace, cluster }: Configuration,
  { hostlist }: Membership,
): readonly (string | null)[] => (hosts === undefined ? [namespace ?? null, cluster, hostlist] : [hostlist]);

function serviceSuffix({ service, namespace, domain }: Configuration): string {
  return service === undefined || namespace === undefined ? '' : `.${service}.${namespace}.svc.${domain}`;
}

function parseHosts(hostlist: string, host: string): string[] {
  const refuse = (why: string) =>
    new PodError(ExitCode.configuration, `Cannot use FLUX_POD_HOSTS=${JSON.stringify(hostlist)}: ${why}`, {
      hint: 'Give every host of the instance in rank order, the same list in all pods of both clusters.',
    });
  let hosts: string[];
  try {
    hosts = parseHostlist(hostlist);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  if (!hosts.includes(host)) throw refuse(`it does not name this pod, ${host}`);
  if (new Set(hosts).size < hosts.length) throw refuse('it names a host twice');
  return hosts;
}
