import type { LeaderNews } from '../reconcile/minicluster-status.ts';

/** Whether a leader reports a job that has not ended: one that waits, is held, runs, or is cleaned up after. */
export function hasActiveJob(news: LeaderNews): boolean {
  const { pending = 0, running = 0 } = (typeof news === 'object' && news.jobs) || {};
  return pending + running > 0;
}
