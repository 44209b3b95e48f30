/** The instance of a broker by its own attributes: for an agent that has not started it (flux-broker-attributes(7)). */

import { type HostPort, parseHostPort } from '../../address.ts';
import type { Membership, Parent } from '../../broker/membership.ts';
import { instant } from '../../clock.ts';
import { parseHostlist } from '../../cluster/hostlist.ts';
import { createTopology, parseTopology, type Tree } from '../../cluster/topology.ts';
import type { RpcOptions } from '../../flux/channel.ts';
import type { FluxClient } from '../../flux/client.ts';
import { Errno, FluxError } from '../../flux/errors.ts';
import { getAttr } from '../../flux/services/attr.ts';
import { getState } from '../../flux/services/state-machine.ts';
import { firstLabel } from '../../pod/identity.ts';
import type { WatchedBroker } from '../broker/connection.ts';

export interface Instance {
  readonly membership: Membership;
  readonly topo: string;
  readonly quorum: number;
  /** The process and its state, which an agent that starts the broker has from its start. */
  readonly process: Pick<WatchedBroker, 'pid' | 'startedAt' | 'state'>;
  /** The user id of the instance's owner. */
  readonly owner: number | undefined;
}

/** Reads them from the broker. Throws a FluxError where it does not answer, or has no rank yet. */
export async function readInstance(client: FluxClient, options?: RpcOptions): Promise<Instance> {
  const ask = (name: string) => getAttr(client, name, options);
  const asked = instant();
  const [
    { state, duration },
    rank,
    size,
    hostlist,
    hostname,
    topo,
    parentEndpoint,
    quorum,
    pid,
    startTime,
    owner,
  ] = await Promise.all([
    getState(client, options),
    ask('rank'),
    ask('size'),
    ask('hostlist'),
    ask('hostname'),
    ask('tbon.topo'),
    ask('tbon.parent-endpoint'),
    ask('broker.quorum'),
    ask('broker.pid'),
    ask('broker.starttime'),
    ask('security.owner'),
  ]);
  if (rank === undefined || size === undefined)
    throw new FluxError(Errno.tryAgain, { text: 'the broker has no rank yet' });
  return {
    membership: membershipFrom({
      rank: Number(rank),
      size: Number(size),
      hostlist,
      hostname,
      topo,
      parentEndpoint,
    }),
    topo: topo ?? 'custom',
    quorum: Number(quorum ?? size),
    process: {
      pid: Number(pid ?? 0),
      startedAt: startTime === undefined ? undefined : Number(startTime) * 1000,
      state: { state, since: asked - duration * 1000 },
    },
    owner: owner === undefined ? undefined : Number(owner),
  };
}

interface Attributes {
  readonly rank: number;
  readonly size: number;
  readonly hostlist: string | undefined;
  readonly hostname: string | undefined;
  readonly topo: string | undefined;
  readonly parentEndpoint: string | undefined;
}

/** The membership that follows from a broker's attributes: data in, data out. */
export function membershipFrom(attributes: Attributes): Membership {
  const { rank, size, hostname = 'localhost', hostlist, topo } = attributes;
  // A broker that has just started has no hostlist yet.
  const hosts = hostlist === undefined ? [] : parseHostlist(hostlist);
  const host = hosts[rank] ?? hostname;
  const tree = treeOf(topo, size);
  return {
    rank,
    size,
    hostlist: hostlist ?? hostname,
    host,
    hostIsHostname: host === hostname,
    dnsSuffix: '',
    parent: parentFrom(attributes, tree, hosts),
    tree,
  };
}

/** Flat where flux-pod does not know the broker's topology. */
function treeOf(topo: string | undefined, size: number): Tree {
  try {
    return createTopology(parseTopology(topo ?? 'custom'), size);
  } catch {
    return createTopology({ scheme: 'custom' }, size);
  }
}

/** A configured tree can have any shape: there the parent follows from its endpoint, if that is a name. */
function parentFrom(
  { rank, topo, parentEndpoint }: Attributes,
  tree: Tree,
  hosts: readonly string[],
): Parent | undefined {
  const byTree = tree.parentOf(rank);
  if (byTree === undefined) return undefined;
  const target = targetOf(parentEndpoint);
  const named = hosts.findIndex((host) => host === target?.host || host === firstLabel(target?.host ?? ''));
  const parent = topo === 'custom' && named >= 0 ? named : byTree;
  const host = hosts[parent] ?? target?.host;
  return host === undefined ? undefined : { rank: parent, host, target: target ?? { host, port: 0 } };
}

/** `tcp://HOST:PORT`; undefined for any other transport. */
const targetOf = (endpoint: string | undefined): HostPort | undefined =>
  endpoint?.startsWith('tcp://') ? parseHostPort(endpoint.slice('tcp://'.length)) : undefined;
