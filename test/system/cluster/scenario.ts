import type { Place, RunningMiniCluster } from './minicluster.ts';

/** What a scenario found: one line a claim. */
export interface Finding {
  readonly claim: string;
  readonly holds: boolean;
  readonly seen: string;
}

export type Find = (claim: string, holds: boolean, seen: string) => void;
export type Scenario = (place: Place, find: Find) => Promise<void>;

/** Since `from`, which is of performance.now(). */
export const seconds = (from: number): string => `${((performance.now() - from) / 1000).toFixed(1)} s`;

/** Of all containers, once the Job has ended. */
export async function exitCodesAre(cluster: RunningMiniCluster, code: number): Promise<[boolean, string]> {
  const codes = (await cluster.pods()).flatMap(({ status }) =>
    (status.containerStatuses ?? []).map(({ state }) => state.terminated?.exitCode ?? status.phase),
  );
  return [codes.length > 0 && codes.every((each) => each === code), `exit codes ${codes.join(' ')}`];
}

/** For a row that does not hold: what the Job and its pods look like. */
export async function stateOf(cluster: RunningMiniCluster): Promise<string> {
  const { status } = await cluster.job();
  const pods = (await cluster.pods()).map(({ metadata, status: { phase, containerStatuses } }) => {
    const container = containerStatuses?.[0];
    const ended = container?.state.terminated ?? container?.lastState.terminated;
    const index = metadata.labels['batch.kubernetes.io/job-completion-index'];
    return `${index} ${phase}${ended ? ` ended with ${ended.exitCode}` : ''} restarts ${container?.restartCount ?? 0}`;
  });
  const conditions = (status.conditions ?? []).map(({ type, reason }) => `${type} ${reason ?? ''}`.trim());
  return [`job ${conditions.join(', ') || 'without condition'}`, ...pods.sort()].join('; ');
}

export const lastWords = (log: string): string => log.split('\n').at(-1) ?? '';
