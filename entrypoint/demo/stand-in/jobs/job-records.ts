/** What there is to read of jobs: the services job-list and job-info. */
import { constants } from 'node:os';
import type { JobState } from '../../../../agent/flux/services/job-list.ts';
import type { Asked, Router } from '../message-router.ts';
import { matches } from './constraint.ts';
import { describe, type Job, lookUp, succeeded } from './job.ts';

const { ENODATA, ENOENT } = constants.errno;

export interface JobRecords {
  /** The state of a job has changed. */
  readonly changed: () => void;
}

/** Streams of job-stats are updated at most so often (flux-core src/modules/job-list/stats.c). */
const batchMs = 200;

export function serveJobRecords(router: Router, jobs: ReadonlyMap<bigint, Job>): JobRecords {
  const find = ({ payload }: Asked) => jobs.get(BigInt(payload.id as number));
  router.serve('job-list.list', ({ payload, respond }) => {
    const { max_entries: most, since = 0, constraint = {} } = payload as Listing;
    const wanted = [...jobs.values()]
      .filter((job) => matches(job, constraint))
      .filter(({ times }) => times.inactive === undefined || times.inactive > since)
      .sort(byPlaceInList);
    respond({ jobs: wanted.slice(0, most || wanted.length).map(describe) });
  });
  router.serve('job-list.list-id', (asked) => {
    const job = find(asked);
    if (job) asked.respond({ job: describe(job) });
    else asked.fail(ENOENT);
  });
  const stats = () => {
    const all = [...jobs.values()];
    const inactive = all.filter(({ state }) => state === 'inactive');
    const inState = (state: JobState) => all.filter((job) => job.state === state).length;
    const canceled = inactive.filter(({ exception }) => exception?.type === 'cancel').length;
    const successful = inactive.filter(succeeded).length;
    return {
      job_states: {
        depend: inState('depend'),
        priority: inState('priority'),
        sched: inState('sched'),
        run: inState('run'),
        cleanup: inState('cleanup'),
        inactive: inactive.length,
        total: all.length,
      },
      successful,
      failed: inactive.length - successful - canceled,
      canceled,
      timeout: 0,
      inactive_purged: 0,
      queues: [],
    };
  };
  router.serve(statsTopic, ({ keep, respond }) => {
    keep();
    respond(stats());
  });
  router.serve('job-info.lookup', (asked) => {
    const job = find(asked);
    if (!job) return asked.fail(ENOENT, 'invalid job id');
    const keys = asked.payload.keys as string[];
    const missing = keys.find((key) => lookUp(job, key) === undefined);
    if (missing !== undefined) return asked.fail(ENOENT, `${missing}: key not found`);
    asked.respond({ id: job.id, ...Object.fromEntries(keys.map((key) => [key, lookUp(job, key) ?? ''])) });
  });
  router.serve('job-info.eventlog-watch', (asked) => {
    const job = find(asked);
    if (!job) return asked.fail(ENOENT);
    for (const event of job.logs.get(String(asked.payload.path)) ?? []) asked.respond({ event });
    if (job.state === 'inactive') asked.fail(ENODATA);
    else asked.keep();
  });
  router.serve('job-info.eventlog-watch-cancel', router.cancel);
  let timer: NodeJS.Timeout | undefined;
  const update = () => {
    timer = undefined;
    for (const { respond } of router.kept(statsTopic)) respond(stats());
  };
  return {
    changed: () => {
      if (!timer) timer = setTimeout(update, batchMs).unref();
    },
  };
}

const statsTopic = 'job-list.job-stats';

interface Listing {
  readonly max_entries?: number;
  readonly since?: number;
  readonly constraint?: object;
}

/** Pending jobs come first, the oldest of one urgency at the head; then running, then inactive ones, each the newest first. */
function byPlaceInList(a: Job, b: Job): number {
  const part = ({ times }: Job) => (times.inactive !== undefined ? 2 : times.run !== undefined ? 1 : 0);
  if (part(a) !== part(b)) return part(a) - part(b);
  if (part(a) === 0) return b.urgency - a.urgency || Number(a.id - b.id);
  return (b.times.inactive ?? b.times.run ?? 0) - (a.times.inactive ?? a.times.run ?? 0);
}
