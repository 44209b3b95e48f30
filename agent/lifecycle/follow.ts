import { setTimeout as delay } from 'node:timers/promises';
import type { Ending } from '../broker/process.ts';
import type { Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import type { Lifecycle } from '../pod/phase.ts';
import { findParent } from './find-parent.ts';
import { followerOutcome, type Outcome } from './outcome.ts';
import type { PreparedPod } from './prepare.ts';
import type { Reporting } from './reporting.ts';
import type { Signals } from './signals.ts';

export interface Following {
  readonly pod: PreparedPod;
  /** Starts the broker and waits for its end. */
  readonly start: () => Promise<Ending>;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly observations: Observations;
  readonly reporting: Reporting;
  readonly log: Log;
}

/** A broker that lived this long had joined: its end is a new story, and the pauses start small again. */
const settledMs = 10_000;

/**
 * A follower's life: await the parent, start the broker with the parent's verified address, and when the broker ends because
 * its parent went, await it again. Ends with the instance or a signal.
 */
export async function followParent(following: Following): Promise<Outcome> {
  const { pod, start, signals, lifecycle, observations, reporting, log } = following;
  const { membership, environment } = pod;
  const { parent } = membership;
  if (!parent) throw new Error('rank 0 follows nobody');
  const { pauseMs } = await import('../dns/pace.ts');
  for (let attempt = 0; ; attempt++) {
    lifecycle.enter('await-parent', { parent: parent.target.host, port: parent.target.port });
    await log.open();
    void reporting.serve(pod.directory.agentSocket);
    const search = { parent, membership, observations, environment, signal: signals.stop, log };
    const { host, port, ...cost } = await findParent(search);
    log('info', `The parent ${parent.host} listens at ${host}:${port}`, cost);
    observations.parentAddress = { host, port };
    pod.writeBrokerToml({ host, port });
    const startedAt = Date.now();
    const ending = await start();
    const outcome = followerOutcome(ending, signals.stoppedBy());
    if (outcome) return outcome;
    if (Date.now() - startedAt > settledMs) attempt = 0;
    log('warn', 'The broker ended before the instance: its parent went, or it could not join', {
      code: ending.code,
    });
    await delay(pauseMs(attempt, membership.size), undefined, { signal: signals.stop }).catch(() =>
      signals.stop.throwIfAborted(),
    );
  }
}
