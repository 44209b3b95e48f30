/**
 * The queue as the job manager's journal tells it: the states of RFC 21, as flux-core src/modules/job-manager/event.c (event_job_update)
 * enters them, as far as the demand differs by them. Of pending jobs it keeps 16 bytes each, and their shapes once.
 */
import type { JobId } from '../flux/job-id.ts';
import type { JournalEntry, JournalEvent } from '../flux/services/eventlog/job-journal.ts';
import { readAllocation } from '../flux/services/resource.ts';
import type { DemandQueue, PendingGroup, RunningJob } from './demand.ts';
import { type JobNeed, needOf, updateNeed } from './job-need.ts';
import { createJobTable, idOf } from './job-table.ts';
import { createShapes } from './shapes.ts';

/** NEW and DEPEND, PRIORITY, SCHED; RUN, CLEANUP and whatever else cannot be started any more. */
const State = { depend: 1, priority: 2, sched: 3, started: 4 } as const;

/** The events that change the demand; the journal is asked for no others. */
export const wantedEvents = [
  ...['submit', 'invalidate', 'depend', 'priority', 'urgency', 'jobspec-update', 'flux-restart'],
  ...['alloc', 'resource-update', 'exception', 'free', 'clean'],
] as const;

/** For what is no constraint on a shape. */
const noShape = 0xff_ffff;

/** Priorities by fair share are as many as jobs. The places of shapes are fewer. */
const mostGroups = 1024;

interface Group {
  readonly shape: number;
  priority: number;
  count: number;
  /** The id of the job that the scheduler takes first. */
  high: number;
  low: number;
}

export interface QueueState {
  readonly apply: (entry: JournalEntry) => void;
  /** The queue as it is now. The rest of a DemandQueue is not in the journal. */
  readonly view: () => Omit<DemandQueue, 'housekeeping' | 'isStopped'>;
  readonly active: () => number;
}

export function createQueueState(): QueueState {
  const jobs = createJobTable();
  const shapes = createShapes();
  const running = new Map<JobId, RunningJob>();

  const releaseShape = (shape: number) => {
    if (shape !== noShape) shapes.release(shape);
  };

  const begin = (id: JobId, jobspec: unknown) => {
    releaseShape(jobs.get(id)?.shape ?? noShape);
    jobs.set(id, { shape: shapes.hold(needOf(jobspec)), state: State.depend, priority: 0 });
  };

  const end = (id: JobId) => {
    releaseShape(jobs.get(id)?.shape ?? noShape);
    running.delete(id);
    jobs.delete(id);
  };

  /** It will not be started, or has been: its shape is of no use any more. */
  const leaveQueue = (id: JobId) => {
    const job = jobs.get(id);
    if (!job) return;
    releaseShape(job.shape);
    jobs.set(id, { shape: noShape, state: State.started, priority: 0 });
  };

  const change = (id: JobId, { name, context = {} }: JournalEvent, R: unknown) => {
    const job = jobs.get(id);
    if (!job) return;
    const back = () => job.state === State.sched && jobs.set(id, { ...job, state: State.priority });
    switch (name) {
      case 'depend':
        if (job.state === State.depend) jobs.set(id, { ...job, state: State.priority });
        break;
      case 'priority':
        if (job.state === State.priority || job.state === State.sched)
          jobs.set(id, {
            ...job,
            state: State.sched,
            priority: Math.min(0xffff_ffff, Number(context.priority) || 0),
          });
        break;
      case 'urgency':
      case 'flux-restart':
        back();
        break;
      case 'jobspec-update':
        if (job.shape !== noShape) {
          const shape = shapes.hold(updateNeed(shapes.at(job.shape), context));
          shapes.release(job.shape);
          jobs.set(id, { ...job, shape, ...(job.state === State.sched && { state: State.priority }) });
        }
        break;
      case 'alloc':
        leaveQueue(id);
        if (R !== undefined) running.set(id, runningJobOf(R));
        break;
      case 'resource-update': {
        const run = running.get(id);
        if (run && typeof context.expiration === 'number')
          running.set(id, { ...run, expiration: context.expiration });
        break;
      }
      case 'exception':
        if (context.severity !== 0) break;
        leaveQueue(id);
        // The scheduler has not taken the job's resources over (event.c).
        if (context.type === 'scheduler-restart') running.delete(id);
        break;
      case 'free':
        running.delete(id);
        break;
      case 'invalidate':
      case 'clean':
        end(id);
    }
  };

  /** Those that can be started, by shape, and by priority as well unless that makes too many groups: then the first stands for all. */
  const joinJobs = (byPriority: boolean): Map<number, Group> | undefined => {
    const groups = new Map<number, Group>();
    jobs.forEach((shape, state, priority, high, low) => {
      if (state !== State.sched || priority === 0 || groups.size > mostGroups) return;
      const key = byPriority ? shape * 2 ** 32 + priority : shape;
      const group = groups.get(key);
      if (!group) groups.set(key, { shape, priority, count: 1, high, low });
      else {
        group.count++;
        const isOlder = high < group.high || (high === group.high && low < group.low);
        if (priority > group.priority || (priority === group.priority && isOlder))
          [group.priority, group.high, group.low] = [priority, high, low];
      }
    });
    return groups.size > mostGroups ? undefined : groups;
  };

  const jobsWith: DemandQueue['jobsWith'] = (needs, most) => {
    if (needs.length === 0) return { count: 0, oldest: [] };
    const wanted = new Set(needs);
    const found: [JobId, JobNeed][] = [];
    let count = 0;
    jobs.forEach((shape, state, _, high, low) => {
      const need = state < State.started ? shapes.at(shape) : undefined;
      if (!need || !wanted.has(need)) return;
      count++;
      const id = idOf(high, low);
      if (found.length === most && id > (found.at(-1)?.[0] ?? 0n)) return;
      found.push([id, need]);
      found.sort(([a], [b]) => (a < b ? -1 : 1));
      if (found.length > most) found.pop();
    });
    return { count, oldest: found };
  };

  return {
    apply: ({ id, events, jobspec, R }) => {
      for (const event of events) {
        if (event.name === 'submit') begin(id, jobspec);
        else change(id, event, R);
      }
    },
    active: jobs.size,
    view: () => {
      const needs = new Set<JobNeed>();
      const groups = joinJobs(true) ?? joinJobs(false) ?? new Map();
      jobs.forEach((shape, state) => void (state < State.started && needs.add(shapes.at(shape))));
      const pending = [...groups.values()].map(
        ({ shape, priority, count, high, low }): PendingGroup => ({
          need: shapes.at(shape),
          priority,
          count,
          first: idOf(high, low),
        }),
      );
      return { active: jobs.size(), pending, needs: [...needs], jobsWith, running: [...running.values()] };
    },
  };
}

function runningJobOf(R: unknown): RunningJob {
  const { R_lite, expiration } = readAllocation(R);
  return {
    parts: R_lite.map(({ rank, children: { core = [], gpu = [] } }) => ({
      ranks: rank,
      cores: core.length,
      gpus: gpu.length,
    })),
    expiration,
  };
}
