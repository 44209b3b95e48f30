/** A node whose pod stops takes no new jobs; once its next broker runs, it takes them again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FluxClient } from '../../flux/client.ts';
import { stoppingReason } from '../../flux/drain-reasons.ts';
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
    const { drain, drainedRanks, getResourceStatus } = await import('../../flux/services/resource.ts');
    // Flux would give this reason to a drain without one, in every mode (flux-core src/modules/resource/drain.c): a user's would be undone.
    const status = await getResourceStatus(client, { timeoutMs: answerWithinMs });
    if (drainedRanks(status).some((drained) => drained.rank === rank)) return;
    await drain(client, String(rank), stoppingReason, { timeoutMs: answerWithinMs });
  } catch (error) {
    log('debug', 'This node could not be drained', { why: String(error) });
  }
}

export interface UndrainOptions {
  /** Aborted when the pod stops, which drains the node again. */
  readonly stop: AbortSignal;
  readonly log: Log;
  /** Milliseconds. */
  readonly retry?: typeof usualRetry;
}

const usualRetry = { first: 1000, most: 60_000 };

/**
 * To be called when the broker runs. What is not known is asked again after a backoff as long as the connection lasts, since nothing else
 * undoes that drain: rank 0 may be busy just then, or starting.
 */
export async function undrainSelf(
  client: FluxClient,
  rank: number,
  { stop, log, retry = usualRetry }: UndrainOptions,
): Promise<void> {
  if (rank === 0) return;
  const closed = new AbortController();
  void client.closed.then(() => closed.abort());
  const signal = AbortSignal.any([stop, closed.signal]);
  for (let pauseMs = retry.first; !signal.aborted; pauseMs = Math.min(retry.most, pauseMs * 2)) {
    try {
      return await undrainOwn(client, rank, signal, log);
    } catch (error) {
      log('debug', 'It is unknown whether this node is drained', { why: String(error) });
    }
    await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function undrainOwn(client: FluxClient, rank: number, signal: AbortSignal, log: Log): Promise<void> {
  const { drainedRanks, getResourceStatus, undrain } = await import('../../flux/services/resource.ts');
  const status = await getResourceStatus(client, { timeoutMs: answerWithinMs });
  const isOurs = drainedRanks(status).some(
    (drained) => drained.rank === rank && drained.reason === stoppingReason,
  );
  if (!isOurs || signal.aborted) return;
  await undrain(client, String(rank), { timeoutMs: answerWithinMs });
  log('info', 'This node takes jobs again');
}
