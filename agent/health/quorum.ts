/** Why a leader whose quorum is not online waits. */

import type { Membership } from '../broker/membership.ts';
import { formatHostlist, parseHostlist } from '../cluster/hostlist.ts';
import type { Configuration } from '../config/configuration.ts';

/** A sentence for a person: `online` are ranks. It has how many brokers are online, which hosts of the size at the start are not, and the usual reason. */
export function quorumWait(
  { size, minSize, hosts }: Pick<Configuration, 'size' | 'minSize' | 'hosts'>,
  membership: Membership | undefined,
  online: readonly number[] | undefined,
): string {
  const count = online?.length ?? 0;
  const missing = online && membership ? missingHosts(online, membership.hostlist, size) : '';
  if (missing === '') return `${count} of the ${minSize} brokers of the quorum are online`;
  // Brokers that burst into other clusters are pods of several Jobs.
  if (hosts !== undefined)
    return `${count} of the ${minSize} brokers of the quorum are online, not ${missing}`;
  return `${count} of the ${minSize} brokers of the quorum are online, not ${missing}: has the Job ${size} completions, as FLUX_POD_SIZE says?`;
}

/** A probe asks every second, and the list may have thousands of hosts: it is folded once for each change. */
const folded = new WeakMap<readonly number[], string>();

function missingHosts(online: readonly number[], hostlist: string, size: number): string {
  const known = folded.get(online);
  if (known !== undefined) return known;
  const ranks = new Set(online);
  const missing = formatHostlist(
    parseHostlist(hostlist)
      .slice(0, size)
      .filter((_, rank) => !ranks.has(rank)),
  );
  folded.set(online, missing);
  return missing;
}
