import type { Pod } from './pod.ts';

export interface Found {
  readonly questions: number;
  readonly connections: number;
  readonly waitedMs: number;
}

/** What it took a follower to find its parent, as its log says. */
export async function foundIn(pod: Pod): Promise<Found> {
  await pod.waitForOutput(/listens at/);
  const line = pod.stderr.split('\n').find((each) => each.includes('listens at'));
  const { questions, connections, waitedMs }: Found = JSON.parse(line ?? '{}');
  return { questions, connections, waitedMs };
}
