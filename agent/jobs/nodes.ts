/** Nodes with their state, cores and place in the tree of brokers. */

import { parseHostlist } from '../cluster/hostlist.ts';
import { formatIdset } from '../cluster/idset.ts';
import type { Tree } from '../cluster/topology.ts';
import type { FluxClient } from '../flux/client.ts';
import { detailOf, Errno, FluxError } from '../flux/errors.ts';
import { getHealth, type OverlayHealth } from '../flux/services/overlay.ts';
import {
  countResources,
  drainedRanks,
  getResourceStatus,
  getScheduledResources,
  type ResourceSet,
  type ResourceStatus,
} from '../flux/services/resource.ts';
import { JobError } from './job-error.ts';
import type { NodeAnswer } from './job-schemas.ts';

/** The part of the tree that is needed. */
export type BrokerTree = Pick<Tree, 'parentOf' | 'descendantCountOf'>;

export interface NodeSources {
  readonly status: ResourceStatus;
  readonly allocated: ResourceSet;
  /** Health of rank 0 and of every broker that has children and answers. */
  readonly overlay: readonly OverlayHealth[];
  readonly tree: BrokerTree;
}

const timeoutMs = 2000;

export async function readNodes(client: FluxClient, tree: BrokerTree): Promise<NodeAnswer[]> {
  const [status, { allocated }, overlay] = await Promise.all([
    getResourceStatus(client, { timeoutMs }),
    getScheduledResources(client, { timeoutMs }),
    readOverlay(client, tree),
  ]);
  return nodesOf({ status, allocated, overlay, tree });
}

/** Asks rank 0, and those of its descendants that have children: the answer of a parent has its children's status. */
async function readOverlay(client: FluxClient, tree: BrokerTree, rank = 0): Promise<OverlayHealth[]> {
  const health = await getHealth(client, { nodeid: rank, timeoutMs }).catch(() => undefined);
  if (!health) return [];
  const parents = health.children.filter(
    ({ rank, status }) => status !== 'lost' && status !== 'offline' && tree.descendantCountOf(rank) > 0,
  );
  const below = await Promise.all(parents.map((child) => readOverlay(client, tree, child.rank)));
  return [health, ...below.flat()];
}

export function nodesOf({ status, allocated, overlay, tree }: NodeSources): NodeAnswer[] {
  const hosts = status.R.execution.nodelist.flatMap(parseHostlist);
  const capacity = perRank(status.R);
  const used = perRank(allocated);
  const sets = {
    online: new Set(status.online),
    excluded: new Set(status.exclude),
    torpid: new Set(status.torpid),
  };
  const drained = new Map(drainedRanks(status).map(({ rank, ...why }) => [rank, why]));
  const subtrees = new Map(
    overlay.flatMap(({ children, ...self }) => [...children, self]).map(({ rank, status }) => [rank, status]),
  );
  return [...capacity.keys()]
    .sort((a, b) => a - b)
    .map((rank, place): NodeAnswer => {
      const { cores = 0, gpus = 0 } = capacity.get(rank) ?? {};
      const coresAllocated = used.get(rank)?.cores ?? 0;
      const drain = drained.get(rank);
      const parent = tree.parentOf(rank);
      const subtree = subtrees.get(rank);
      return {
        rank,
        host: hosts[place] ?? String(rank),
        state: stateOf(rank, sets, drain !== undefined, coresAllocated > 0),
        busy: coresAllocated > 0,
        cores,
        coresAllocated,
        gpus,
        ...(parent !== undefined && { parent }),
        ...(subtree !== undefined && { subtree }),
        ...(drain && { since: drain.timestamp, reason: drain.reason }),
      };
    });
}

function stateOf(
  rank: number,
  { online, excluded, torpid }: Readonly<Record<'online' | 'excluded' | 'torpid', ReadonlySet<number>>>,
  drained: boolean,
  busy: boolean,
): NodeAnswer['state'] {
  if (!online.has(rank)) return 'offline';
  if (excluded.has(rank)) return 'excluded';
  // As in `flux resource drain`: jobs still run on a draining node.
  if (drained) return busy ? 'draining' : 'drained';
  return torpid.has(rank) ? 'torpid' : 'online';
}

function perRank({ execution }: ResourceSet): Map<number, { cores: number; gpus: number }> {
  const all = execution.R_lite.flatMap(({ rank, children }) => {
    const counts = { cores: children.core?.length ?? 0, gpus: children.gpu?.length ?? 0 };
    return rank.map((each) => [each, counts] as const);
  });
  return new Map(all);
}

type Counts = ReturnType<typeof countResources>;

/** Resources as a whole: all, those of brokers that are up and not drained, allocated, and free. */
export async function readResources(
  client: FluxClient,
): Promise<Readonly<Record<'all' | 'up' | 'allocated' | 'free', Counts>>> {
  const { all, down, allocated } = await getScheduledResources(client, { timeoutMs });
  const [whole, away, used] = [all, down, allocated].map(countResources) as [Counts, Counts, Counts];
  const less = (from: Counts, what: Counts): Counts => ({
    nodes: Math.max(0, from.nodes - what.nodes),
    cores: Math.max(0, from.cores - what.cores),
    gpus: Math.max(0, from.gpus - what.gpus),
  });
  const up = less(whole, away);
  const usedNodes = new Set(allocated.execution.R_lite.flatMap(({ rank }) => rank)).size;
  const inUse = { ...used, nodes: usedNodes };
  return { all: whole, up, allocated: inUse, free: less(up, inUse) };
}

/** A change of nodes. Throws a JobError (invalid) with the existing ranks and hosts where `targets` names others. */
export async function ofNodes(client: FluxClient, change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof FluxError) || error.errnum !== Errno.invalid) throw error;
    const { execution } = (await getResourceStatus(client, { timeoutMs })).R;
    const ranks = formatIdset(execution.R_lite.flatMap(({ rank }) => rank));
    const what = `${detailOf(error)}; there are the ranks ${ranks}, hosts ${execution.nodelist.join(',')}`;
    throw new JobError('invalid', `targets: ${what}`, { faults: [{ where: '/targets', what }] });
  }
}
