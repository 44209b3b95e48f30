import { setTimeout as delay } from 'node:timers/promises';
import { longestTimerMs } from '../../clock.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { Hold } from '../../health/http-server.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';
import type { Lifecycle } from '../../pod/phase.ts';
import type { Signals } from '../stop/signals.ts';
import type { Outcome } from './outcome.ts';

export interface HoldOptions {
  readonly configuration: Pick<Configuration, 'onFailure'>;
  readonly podState: PodStateWriter;
  readonly lifecycle: Pick<Lifecycle, 'enter'>;
  readonly signals: Pick<Signals, 'stop'>;
  /** Starts the services unless they run. Resolves to why there is no run-time directory, where there is none. */
  readonly serve: () => Promise<string | undefined>;
  readonly log: Log;
}

export interface PodHold extends Hold {
  /**
   * Keeps a failed pod for a person to look into, where FLUX_POD_ON_FAILURE asks for it: until it is released, the time is up, or a signal asks for
   * the exit. Probes and status are served meanwhile, whatever the pod failed in: the kubelet would restart a pod that does not answer.
   */
  readonly holdFailed: (outcome: Outcome, options: HoldOptions) => Promise<void>;
}

export function createHold(): PodHold {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let isHeld = false;
  return {
    isHeld: () => isHeld,
    release,
    holdFailed: async (outcome, { configuration, podState, lifecycle, signals, serve, log }) => {
      const { onFailure } = configuration;
      if (!onFailure.hold || outcome.code === 0 || signals.stop.aborted) return;
      lifecycle.enter('hold');
      isHeld = true;
      podState.set({ held: true, lastError: { at: Date.now(), what: outcome.sentence } });
      await log.open();
      const fault = await serve();
      const end =
        fault === undefined
          ? '`flux-pod release` ends it'
          : 'only a signal ends it, because `flux-pod release` finds no run-time directory';
      if (fault !== undefined && fault !== outcome.sentence) log('warn', fault);
      log('error', `${outcome.sentence}: the pod is held, ${end}`, {
        exitCode: outcome.code,
        ...outcome.facts,
      });
      const milliseconds = Math.min(longestTimerMs, onFailure.seconds * 1000);
      const enough = new AbortController();
      const until = AbortSignal.any([signals.stop, enough.signal]);
      // The timer also keeps the process alive while nothing else does.
      await Promise.race([
        released,
        delay(milliseconds, undefined, { signal: until }).catch(() => undefined),
      ]);
      enough.abort();
      isHeld = false;
      podState.set({ held: false });
    },
  };
}
