/** A node whose pod stops takes no new jobs; once its next broker runs, it takes them again. */

import { parseIdset } from '../../cluster/idset.ts';
import type { FluxClient } from '../../flux/client.ts';
import type { Log } from '../../log.ts';
import type { BrokerConnection } from '../broker/connection.ts';

/** This reason distinguishes a node's own drain from an administrator's. */
const drainReason = 'flux-pod: the pod is stopping';
const answerWithinMs = 1000;

export async function drainSelf(
  { client: clientOf, state }: Pick<BrokerConnection, 'client' | 'state'>,
  rank: number,
  log: Log,
): Promise<void> {
  const client = clientOf();
  if (!client || state() !== 'run') return;
  try {
    const { drain } = await import('../../flux/services/resource.ts');
    await drain(client, String(rank), drainReason, { timeoutMs: answerWithinMs });
  } catch (error) {
    log('debug', 'This node could not be drained', { why: String(error) });
  }
}

/** To be called when the broker runs. */
export async function undrainSelf(client: FluxClient, rank: number, log: Log): Promise<void> {
  if (rank === 0) return;
  try {
    const { getResourceStatus, undrain } = await import('../../flux/services/resource.ts');
    const { drain } = await getResourceStatus(client, { timeoutMs: answerWithinMs });
    const ours = Object.entries(drain).some(
      ([ranks, { reason }]) => reason === drainReason && parseIdset(ranks).includes(rank),
    );
    if (!ours) return;
    await undrain(client, String(rank), { timeoutMs: answerWithinMs });
    log('info', 'This node takes jobs again');
  } catch (error) {
    log('debug', 'It is unknown whether this node is drained', { why: String(error) });
  }
}
