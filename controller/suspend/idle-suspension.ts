/**
 * A MiniCluster with a state directory is suspended when it has had no active job for a while: its queue is kept. Without one its leader shuts
 * down by FLUX_POD_IDLE_TIMEOUT. How long it has been idle is in memory alone: a controller that starts counts from there.
 */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubernetesObject } from '../kubernetes/object.ts';
import { hasActiveJob } from '../leader-link/has-active-job.ts';
import type { Desired } from '../reconcile/desired.ts';
import type { LeaderNews } from '../reconcile/minicluster-status.ts';
import { idleIn, suspendedAnnotation, suspendedFor } from './suspended-annotation.ts';

export interface IdleMiniCluster {
  readonly generation: number;
  /** Undefined: it is never suspended for this. Milliseconds. */
  readonly idleMs: number | undefined;
  readonly job: (KubernetesObject & Job) | undefined;
  readonly leader: LeaderNews;
}

export interface IdleSuspensions {
  /** Whether it is to be suspended, and otherwise when it could be. Undefined where the MiniCluster is away. */
  readonly next: (
    key: string,
    live: IdleMiniCluster | undefined,
  ) => { readonly isSuspended: boolean; readonly again: number | undefined };
}

/** `monotonic`: milliseconds. */
export function createIdleSuspensions(monotonic: () => number): IdleSuspensions {
  const known = new Map<string, Idle>();
  const not = { isSuspended: false, again: undefined };
  return {
    next: (key, live) => {
      const { idleMs, job, leader, generation = 0 } = live ?? {};
      const before = known.get(key);
      known.delete(key);
      // Its pods may still run when a job is submitted in the moment of the suspension.
      if (!job || hasActiveJob(leader)) return not;
      if (isIdleOf(job, generation)) return { isSuspended: true, again: undefined };
      const jobs = typeof leader === 'object' ? leader.jobs : undefined;
      if (idleMs === undefined || !jobs) return not;
      const { uid = '' } = job.metadata;
      const { inactive } = jobs;
      const goesOn = before?.job === uid && inactive <= before.inactive;
      const since = goesOn ? before.since : monotonic();
      known.set(key, { job: uid, since, inactive });
      const left = since + idleMs - monotonic();
      return left > 0 ? { isSuspended: false, again: left } : { isSuspended: true, again: undefined };
    },
  };
}

interface Idle {
  /** Its uid. */
  readonly job: string;
  /** Monotonic milliseconds. */
  readonly since: number;
  /** Fewer than before: Flux has purged some. More: a job has begun and ended between two reports. */
  readonly inactive: number;
}

/** Any change of the MiniCluster's spec resumes it, and so does one of the Job's `suspend`. */
const isIdleOf = (job: KubernetesObject & Job, generation: number): boolean =>
  job.spec?.suspend === true && suspendedFor(job) === idleIn(generation);

/** The same with its Job suspended. */
export function suspended(desired: Desired, generation: number): Desired {
  const objects = desired.objects.map((object) => {
    if (object.kind !== 'Job') return object;
    const { metadata, spec } = object as KubernetesObject & Job;
    const annotations = { ...object.metadata.annotations, [suspendedAnnotation]: idleIn(generation) };
    // spec.suspend has its own.
    if (spec?.suspend) return object;
    return { ...object, metadata: { ...metadata, annotations }, spec: { ...spec, suspend: true } };
  });
  return { ...desired, objects: objects as KubernetesObject[] };
}
