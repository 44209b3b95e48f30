/** The response to each path of the HTTP server. */
import { metricsText } from './metrics.ts';
import type { PodState } from './pod-state.ts';
import { type Probe, probeResult } from './probes.ts';
import { statusOf } from './status.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Sources {
  readonly state: PodState;
  /** Asks the broker for its state, and waits a moment for it; unless it has been heard in the last `heardWithinMs`. */
  readonly pulse: (heardWithinMs?: number) => Promise<void>;
  /** The leader's jobs by state, from the broker. */
  readonly jobStates: () => Promise<Readonly<Record<string, number>> | undefined>;
}

const probePaths: Readonly<Record<string, Probe>> = {
  '/startupz': 'startup',
  '/livez': 'live',
  '/readyz': 'ready',
};

/**
 * For a probe: a follower's broker, which hears a heartbeat every 2 s, is not asked, and a leader's by every third probe of one a second. A
 * broker that hangs is found so much later, and the agent needs a sixth to a third less CPU.
 */
const heardWithinMs = 2500;

export const isProbe = (path: string): boolean => Object.hasOwn(probePaths, path);

/** The answer to `GET path`; undefined where there is nothing. */
export async function answer(
  path: string,
  { state, pulse, jobStates }: Sources,
): Promise<Answer | undefined> {
  const probe = Object.hasOwn(probePaths, path) ? probePaths[path] : undefined;
  if (probe) {
    if (probe !== 'startup') await pulse(heardWithinMs);
    const result = probeResult(probe, state);
    return json(result.ok ? 200 : 503, { probe, ...result });
  }
  if (path === '/status') {
    await pulse();
    return json(200, statusOf(state));
  }
  if (path === '/metrics') {
    const [jobs] = await Promise.all([jobStates(), pulse()]);
    const body = metricsText(state, jobs);
    return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body };
  }
  return undefined;
}

export const json = (status: number, value: unknown): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});
