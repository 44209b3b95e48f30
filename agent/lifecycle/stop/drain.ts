/** A node whose pod stops takes no new jobs; once its next broker runs, it takes them again. */

import { stoppingReason } from '../../drain-reasons.ts';
import type { FluxClient } from '../../flux/client.ts';
import type { Log } from '../../log.ts';
import type { BrokerConnection } from '../broker/connection.ts';

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
    // What a user has drained stays the user's: it fails.
    await drain(client, String(rank), stoppingReason, { timeoutMs: answerWithinMs, mode: 'new' });
  } catch (error) {
    log('debug', 'This node could not be drained', { why: String(error) });
  }
}

/** To be called when the broker runs. */
export async function undrainSelf(client: FluxClient, rank: number, log: Log): Promise<void> {
  if (rank === 0) return;
  try {
    const { drainedRanks, getResourceStatus, undrain } = await import('../../flux/services/resource.ts');
    const status = await getResourceStatus(client, { timeoutMs: answerWithinMs });
    const isOurs = drainedRanks(status).some(
      (drained) => drained.rank === rank && drained.reason === stoppingReason,
    );
    if (!isOurs) return;
    await undrain(client, String(rank), { timeoutMs: answerWithinMs });
    log('info', 'This node takes jobs again');
  } catch (error) {
    log('debug', 'It is unknown whether this node is drained', { why: String(error) });
  }
}
