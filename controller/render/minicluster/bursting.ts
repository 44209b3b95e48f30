import { bracketed } from '../../../agent/address.ts';
import { parseHostlist } from '../../../agent/cluster/hostlist.ts';
import { messageOf } from '../../../agent/errors.ts';
import { ports } from '../reserved/ports.ts';
import type { FieldProblem } from './field-problem.ts';
import type { MiniCluster } from './schema.ts';

/** Settings of an instance that spans clusters: all hosts in rank order, and where the lead broker of another cluster is. */
export interface Bursting {
  readonly hosts: string;
  readonly leader: string | undefined;
}

/**
 * The host list that the Operator would write (pkg/flux/config.go, generateHostlist): the cluster of the leader first, then
 * the clusters that it bursts to, in an order that all of them share. Undefined where there is no bursting.
 */
export function burstingOf({ metadata, spec }: MiniCluster): Bursting | undefined {
  const { leadBroker, hostlist, clusters = [] } = spec.flux?.bursting ?? {};
  if (!leadBroker && !hostlist && clusters.length === 0) return undefined;
  const leading = leadBroker
    ? range(leadBroker.name, leadBroker.size)
    : range(metadata.name, spec.maxSize ?? spec.size);
  const bursted = clusters.map(({ name, size }, index) => range(name ?? `burst-${index}`, size ?? spec.size));
  return {
    hosts: hostlist ?? [leading, ...bursted].join(','),
    leader: leadBroker && `${bracketed(leadBroker.address)}:${leadBroker.port ?? ports.overlay}`,
  };
}

/** What is wrong with the list: every pod of this cluster must find its rank in it. */
export function hostsProblems(miniCluster: MiniCluster): FieldProblem[] {
  const { bursting } = miniCluster.spec.flux ?? {};
  const hosts = burstingOf(miniCluster)?.hosts;
  if (hosts === undefined) return [];
  const path = bursting?.hostlist ? 'spec.flux.bursting.hostlist' : 'spec.flux.bursting';
  if (bursting?.hostlist && bursting.clusters?.length) {
    return [{ path, why: 'cannot be with clusters: the list names their hosts' }];
  }
  let names: string[];
  try {
    names = parseHostlist(hosts);
  } catch (error) {
    return [{ path, why: messageOf(error) }];
  }
  const { metadata, spec } = miniCluster;
  const own = Array.from({ length: spec.maxSize ?? spec.size }, (_, index) => `${metadata.name}-${index}`);
  const known = new Set(names);
  const missing = own.find((name) => !known.has(name));
  if (missing) return [{ path, why: `the hosts ${hosts} do not name this cluster's pod ${missing}` }];
  return known.size < names.length ? [{ path, why: `the hosts ${hosts} name a host twice` }] : [];
}

const range = (name: string, size: number): string => (size === 1 ? `${name}-0` : `${name}-[0-${size - 1}]`);
