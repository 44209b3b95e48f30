import { type Instant, instant } from '../clock.ts';
import type { Log } from '../log.ts';

/**
 * The life of a pod. A follower goes back from `broker` to `await-parent` when its parent is lost; a pod that has failed may be held
 * for a person. In `await-broker` another program is to start the broker (`flux-pod attach`).
 */
export const phases = [
  'configure',
  'prepare',
  'await-parent',
  'await-broker',
  'broker',
  'hold',
  'exit',
] as const;
export type Phase = (typeof phases)[number];

const next: Readonly<Record<Phase, readonly Phase[]>> = {
  configure: ['prepare', 'await-broker', 'exit'],
  prepare: ['await-parent', 'broker', 'hold', 'exit'],
  'await-parent': ['broker', 'hold', 'exit'],
  'await-broker': ['broker', 'exit'],
  broker: ['await-parent', 'await-broker', 'hold', 'exit'],
  hold: ['exit'],
  exit: [],
};

export interface PhaseRecord {
  readonly phase: Phase;
  readonly since: Instant;
}

/** The phase of the pod, and all phases before it. */
export interface Lifecycle {
  readonly current: () => PhaseRecord;
  readonly history: readonly PhaseRecord[];
  /** Enters a phase, logs it once, and refuses a transition that the life of a pod does not have. */
  readonly enter: (phase: Phase, fields?: Readonly<Record<string, unknown>>) => void;
}

export function createLifecycle(log: Log, now: () => Instant = instant): Lifecycle {
  let current: PhaseRecord = { phase: 'configure', since: now() };
  const history: PhaseRecord[] = [current];
  return {
    current: () => current,
    history,
    enter: (phase, fields) => {
      if (!next[current.phase].includes(phase))
        throw new Error(`No way from phase ${current.phase} to ${phase}`);
      const since = now();
      const tookMs = Math.round(since - current.since);
      log('info', `Phase ${phase}`, { phase, after: current.phase, tookMs, ...fields });
      current = { phase, since };
      history.push(current);
    },
  };
}
