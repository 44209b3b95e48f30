import { setTimeout as delay } from 'node:timers/promises';
import type { Configuration } from '../config/resolve.ts';
import type { Observations } from '../health/observations.ts';
import { longestTimerMs } from '../instant.ts';
import type { Log } from '../log.ts';
import type { Lifecycle } from '../pod/phase.ts';
import type { Outcome } from './outcome.ts';
import type { Reporting } from './reporting.ts';
import type { Signals } from './signals.ts';

export interface Holding {
  readonly configuration: Configuration;
  readonly observations: Observations;
  readonly lifecycle: Lifecycle;
  readonly reporting: Pick<Reporting, 'released'>;
  readonly signals: Pick<Signals, 'stop'>;
  readonly log: Log;
}

/** Keeps a failed pod, as FLUX_POD_ON_FAILURE says, for a person to look into: until it is released, the time is up, or it is stopped. */
export async function holdFailed(outcome: Outcome, holding: Holding): Promise<void> {
  const { observations, lifecycle, log } = holding;
  const { onFailure } = holding.configuration;
  const { released } = holding.reporting;
  const { stop } = holding.signals;
  if (!onFailure.hold || outcome.code === 0 || stop.aborted) return;
  lifecycle.enter('hold');
  observations.held = true;
  log('error', `${outcome.sentence}: the pod is held, \`flux-pod release\` ends it`, {
    exitCode: outcome.code,
  });
  await log.open();
  const milliseconds = Math.min(longestTimerMs, onFailure.seconds * 1000);
  const enough = new AbortController();
  // The timer also keeps the process alive while nothing else does.
  await Promise.race([
    released,
    delay(milliseconds, undefined, { signal: AbortSignal.any([stop, enough.signal]) }).catch(() => undefined),
  ]);
  enough.abort();
  observations.held = false;
}
