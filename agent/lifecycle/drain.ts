/** A node that leaves takes no new jobs; the broker that comes back in its place takes them again. */

import { parseIdset } from '../cluster/idset.ts';
import type { FluxClient } from '../flux/client.ts';
import { type Observations, stateOf } from '../health/observations.ts';
import type { Log } from '../log.ts';

/** By this reason a node's own drain is told from one that somebody else wants. */
const drainReason = 'flux-pod: the pod is stopping';
const answerWithinMs = 1000;

export async function drainSelf(
  client: FluxClient | undefined,
  observations: Observations,
  log: Log,
): Promise<void> {
  const { membership, broker } = observations;
  if (!client || !membership || stateOf(broker) !== 'run') return;
  try {
    const { drain } = await import('../flux/services/resource.ts');
    await drain(client, String(membership.rank), drainReason, { timeoutMs: answerWithinMs });
  } catch (error) {
    log('debug', 'This node could not be drained', { why: String(error) });
  }
}

/** To be called when the broker runs. */
export async function undrainSelf(client: FluxClient, observations: Observations, log: Log): Promise<void> {
  const rank = observations.membership?.rank;
  if (rank === undefined || rank === 0) return;
  try {
    const { getResourceStatus, undrain } = await import('../flux/services/resource.ts');
    const { drain } = await getResourceStatus(client, { timeoutMs: answerWithinMs });
    const ours = Object.entries(drain).some(
      ([ranks, { reason }]) => reason === drainReason && parseIdset(ranks).includes(rank),
    );
    if (!ours) return;
    await undrain(client, String(rank), { timeoutMs: answerWithinMs });
    log('info', 'This node is back and takes jobs again');
  } catch (error) {
    log('debug', 'Whether this node is drained is not known', { why: String(error) });
  }
}
