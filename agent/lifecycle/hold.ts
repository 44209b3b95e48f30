import { setTimeout as delay } from 'node:timers/promises';
import type { RunDirectory } from '../broker/run-directory/run-directory.ts';
import type { Configuration } from '../config/configuration.ts';
import { messageOf } from '../errors.ts';
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
  readonly reporting: Pick<Reporting, 'serve' | 'released'>;
  readonly signals: Pick<Signals, 'stop'>;
  /** Where `flux-pod release` and `status` find the agent. */
  readonly openDirectory: () => Promise<RunDirectory>;
  readonly log: Log;
}

/**
 * Keeps a failed pod, as FLUX_POD_ON_FAILURE says, for a person to look into: until it is released, the time is up, or it is stopped.
 * Probes and status are served then, whatever the pod failed in: the kubelet would restart a pod that is silent.
 */
export async function holdFailed(outcome: Outcome, holding: Holding): Promise<void> {
  const { observations, lifecycle, reporting, openDirectory, log } = holding;
  const { onFailure } = holding.configuration;
  const { stop } = holding.signals;
  if (!onFailure.hold || outcome.code === 0 || stop.aborted) return;
  lifecycle.enter('hold');
  observations.held = true;
  observations.lastError = { at: Date.now(), what: outcome.sentence };
  await log.open();
  const directory = await openDirectory().catch(messageOf);
  const found = typeof directory !== 'string';
  await reporting.serve(found ? directory.agentSocket : undefined);
  const end = found
    ? '`flux-pod release` ends it'
    : 'only a signal ends it, because `flux-pod release` finds no run-time directory';
  if (!found && directory !== outcome.sentence) log('warn', directory);
  log('error', `${outcome.sentence}: the pod is held, ${end}`, {
    exitCode: outcome.code,
    ...outcome.facts,
  });
  const milliseconds = Math.min(longestTimerMs, onFailure.seconds * 1000);
  const enough = new AbortController();
  // The timer also keeps the process alive while nothing else does.
  await Promise.race([
    reporting.released,
    delay(milliseconds, undefined, { signal: AbortSignal.any([stop, enough.signal]) }).catch(() => undefined),
  ]);
  enough.abort();
  observations.held = false;
}
