/** The size that a MiniCluster asks for, within what the pods of its Job can have: pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubernetesObject } from '../kubernetes/object.ts';
import { sizeOwner } from './size-owner.ts';

/** The size that the Job was created with: its pods are started with it, and a Job's template cannot change. */
export const initialSizeAnnotation = 'flux-pod/initial-size';

/** Of a Job that exists. */
export interface JobSizes {
  readonly initial: number;
  readonly current: number;
  /** The hosts of the instance with which its pods run: a pod of a higher index exits (agent/config/requirements.ts). */
  readonly most: number;
}

/** Undefined for a Job that flux-pod has not made. */
export function jobSizes(job: KubernetesObject | undefined): JobSizes | undefined {
  const initial = Number(job?.metadata.annotations?.[initialSizeAnnotation]);
  if (!Number.isInteger(initial)) return undefined;
  const { spec } = job as Job;
  const env = spec?.template?.spec?.containers[0]?.env ?? [];
  const [largest, first] = ['FLUX_POD_MAX_SIZE', 'FLUX_POD_SIZE']
    .map((name) => Number(env.find((variable) => variable.name === name)?.value))
    .map((value) => (Number.isInteger(value) ? value : undefined));
  return { initial, current: spec?.completions ?? initial, most: largest ?? first ?? initial };
}

export interface AskedSize {
  /** Of the Job. */
  readonly size: number;
  /** With which the MiniCluster is checked: a size outside of the bounds is refused, and everything else goes on. */
  readonly checked: number;
  /** Why the size is not the one that is asked for; undefined where it is. */
  readonly refused: string | undefined;
}

/** Of a MiniCluster whose Job exists; undefined where it asks for no number. */
export function askedSize(object: KubernetesObject, job: JobSizes): AskedSize | undefined {
  const { size: asked, minSize, maxSize, autoscaling } = (object as { spec?: SizeFields }).spec ?? {};
  if (typeof asked !== 'number') return undefined;
  const { current } = job;
  const checked = Math.min(Math.max(asked, bound(minSize) ?? asked), bound(maxSize) ?? asked);
  // spec.size is the size at the start: live-size.ts has what follows.
  if (sizeOwner(object, Boolean(autoscaling)) === 'Demand')
    return { size: current, checked, refused: undefined };
  const refused = refusalOf(asked, bound(minSize) ?? job.initial, bound(maxSize) ?? job.initial, job);
  return { size: refused === undefined ? asked : current, checked, refused };
}

function refusalOf(asked: number, least: number, largest: number, job: JobSizes): string | undefined {
  const { initial, current, most } = job;
  const isWithin = asked >= least && asked <= largest;
  if (isWithin && asked <= most) return undefined;
  if (isWithin)
    return `spec.size is ${asked}, but the pods run with at most ${most} hosts, and a Job's template cannot change: the size stays ${current}. Delete the Job, or set the annotation flux-pod/update-strategy: Recreate.`;
  return least === largest
    ? `spec.size is ${asked}, but without spec.minSize and spec.maxSize the size stays what it was at the start, ${initial}.`
    : `spec.size is ${asked}, but the bounds are ${least} to ${largest}: the size stays ${current}.`;
}

interface SizeFields {
  readonly size?: unknown;
  readonly minSize?: unknown;
  readonly maxSize?: unknown;
  readonly autoscaling?: unknown;
}

const bound = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
