/** What is answered at which path: data in, data out. */
import { metricsText } from './metrics.ts';
import type { Observations } from './observations.ts';
import { statusOf } from './status.ts';
import { judge, type Probe } from './verdict.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Sources {
  readonly observations: Observations;
  /** Asks the broker for a sign of life; see BrokerWatch. */
  readonly pulse: () => Promise<void>;
  /** Further metrics that must be asked for, such as the leader's jobs by state. */
  readonly jobStates: () => Promise<Readonly<Record<string, number>> | undefined>;
}

const probePaths: Readonly<Record<string, Probe>> = {
  '/startupz': 'startup',
  '/livez': 'live',
  '/readyz': 'ready',
};

export const isProbe = (path: string): boolean => Object.hasOwn(probePaths, path);

/** The answer to `GET path`; undefined where there is nothing. */
export async function answer(
  path: string,
  { observations, pulse, jobStates }: Sources,
): Promise<Answer | undefined> {
  const probe = Object.hasOwn(probePaths, path) ? probePaths[path] : undefined;
  if (probe) {
    if (probe !== 'startup') await pulse();
    const verdict = judge(probe, observations);
    return json(verdict.ok ? 200 : 503, { probe, ...verdict });
  }
  if (path === '/status') {
    await pulse();
    return json(200, statusOf(observations));
  }
  if (path === '/metrics') {
    const [states] = await Promise.all([jobStates(), pulse()]);
    const body = metricsText(observations, states);
    return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body };
  }
  return undefined;
}

export const json = (status: number, value: unknown): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});
