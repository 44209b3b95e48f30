/** The nodes of the instance as the demand sees them: all ranks that R names, whether their pods exist or not. Data in, data out. */
import { parseHostlist } from '../cluster/hostlist.ts';
import { isOwnReason } from '../flux/drain-reasons.ts';
import { drainedRanks, type ResourceStatus } from '../flux/services/resource.ts';
import type { PlacedNode } from './constraint.ts';

export interface QueueNode extends PlacedNode {
  readonly cores: number;
  readonly gpus: number;
  readonly online: boolean;
  /** No job is ever placed on it (flux-config-resource(5), exclude). */
  readonly excluded: boolean;
  /** It takes no job, however large the instance is: a user has drained it, or it is torpid. */
  readonly closed: boolean;
}

/** In the order of their ranks. Drains of flux-pod itself end when the pod is back or is not to leave any more: they do not count. */
export function nodesOf(status: ResourceStatus): QueueNode[] {
  const { R, online, exclude, torpid } = status;
  const { R_lite, nodelist, properties = {} } = R.execution;
  const hosts = nodelist.flatMap(parseHostlist);
  const drained = drainedRanks(status)
    .filter(({ reason }) => !isOwnReason(reason))
    .map(({ rank }) => rank);
  const sets = {
    online: new Set(online),
    exclude: new Set(exclude),
    closed: new Set([...drained, ...torpid]),
  };
  const propertiesOf = propertiesByRank(properties);
  const parts = R_lite.flatMap(({ rank, children: { core = [], gpu = [] } }) =>
    rank.map((each) => ({ rank: each, cores: core.length, gpus: gpu.length })),
  );
  return parts
    .sort((a, b) => a.rank - b.rank)
    .map(({ rank, ...counts }, place) => ({
      rank,
      ...counts,
      // RFC 20: the nodelist has the hosts in the order of the ranks.
      host: hosts[place] ?? '',
      properties: propertiesOf(rank),
      online: sets.online.has(rank),
      excluded: sets.exclude.has(rank),
      closed: sets.closed.has(rank),
    }));
}

const none: ReadonlySet<string> = new Set();

/** Ranks with the same properties share one set. */
function propertiesByRank(properties: Readonly<Record<string, readonly number[]>>) {
  const names = new Map<number, string[]>();
  for (const [name, ranks] of Object.entries(properties))
    for (const rank of ranks) names.set(rank, [...(names.get(rank) ?? []), name]);
  const sets = new Map<string, ReadonlySet<string>>();
  return (rank: number): ReadonlySet<string> => {
    const list = names.get(rank);
    if (!list) return none;
    const key = JSON.stringify(list);
    const set = sets.get(key) ?? new Set(list);
    sets.set(key, set);
    return set;
  };
}
