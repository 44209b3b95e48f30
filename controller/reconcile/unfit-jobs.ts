/** Events of the jobs of Flux that can never run: each job is told once, also where its leader reports no more for a while. */
import type { MiniClusterStatus } from './minicluster-status.ts';
import type { StoryEvent } from './story.ts';

export interface UnfitJobs {
  /** Of the MiniCluster `key`. What its status has named before was told by this controller, or an earlier one. */
  readonly events: (
    key: string,
    before: MiniClusterStatus | undefined,
    after: MiniClusterStatus,
  ) => StoryEvent[];
  readonly forget: (key: string) => void;
}

/** Of one MiniCluster; the status names a few at a time. */
const mostRemembered = 1000;

export function createUnfitJobs(): UnfitJobs {
  /** By MiniCluster: the Job, and jobs of Flux in it. */
  const told = new Map<string, { readonly jobid: string; readonly ids: Set<string> }>();
  return {
    forget: (key) => void told.delete(key),
    events: (key, before, { jobid, demand }) => {
      const known = told.get(key);
      const unfit = demand?.unfit ?? [];
      if (unfit.length === 0 && known?.jobid !== jobid) return [];
      const ids = known?.jobid === jobid ? known.ids : new Set<string>();
      told.set(key, { jobid, ids });
      const earlier = before?.jobid === jobid ? (before.demand?.unfit ?? []) : [];
      for (const { id } of earlier) ids.add(id);
      const news = unfit.filter(({ id }) => !ids.has(id));
      for (const { id } of news) ids.add(id);
      for (const id of ids) if (ids.size > mostRemembered) ids.delete(id);
      return news.map(({ id, why }) => ({
        ...{ type: 'Warning', reason: 'JobUnfit', note: `Job ${id} can never run: ${why}` },
      }));
    },
  };
}
