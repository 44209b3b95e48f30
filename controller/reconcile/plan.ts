/** What is to be done so that the live objects of a MiniCluster become the desired ones: pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { controllerOf, type KubernetesObject, referenceOf, titleOf } from '../kubernetes/object.ts';
import { clusterLabel } from '../render/reserved/names.ts';
import { suspendedAnnotation, suspendedFor } from '../suspend/suspended-annotation.ts';
import { differences, join } from './differences.ts';
import { jobEnd } from './job-state.ts';
import { removedFields } from './removed-fields.ts';

export type Step =
  /** Server-side apply: creates what is missing, and repairs the fields that are desired. */
  | { readonly act: 'apply'; readonly object: KubernetesObject; readonly why: 'missing' | readonly string[] }
  /** A JSON merge patch of the fields of a Job that may change. */
  | {
      readonly act: 'patch';
      readonly object: KubernetesObject;
      readonly patch: object;
      readonly why: readonly string[];
    }
  | { readonly act: 'delete'; readonly object: KubernetesObject; readonly why: 'not desired' | 'recreate' };

export interface Plan {
  readonly steps: readonly Step[];
  /** Fields of the Job that differ, and that a Job does not take. */
  readonly outdated: readonly string[];
  /** The same of the claim for the statedir. */
  readonly outdatedClaim: readonly string[];
  /** The Secret of the certificate, where the user's own one is another. */
  readonly outdatedSecret: readonly string[];
  /** Objects of these names that belong to another owner. They are left alone. */
  readonly foreign: readonly string[];
}

export interface PlanInput {
  readonly uid: string;
  /** In the order in which they are to be applied. */
  readonly desired: readonly KubernetesObject[];
  /** What exists of the kinds that are rendered: objects that the MiniCluster owns, and others of the desired names. */
  readonly live: readonly KubernetesObject[];
  /** The Job ended earlier, and is not run again though it may have been deleted since. */
  readonly isFinished: boolean;
  /** The certificate is the user's own, and not derived. */
  readonly hasOwnCertificate?: boolean;
  /** A Job whose template differs is deleted and created again. */
  readonly recreate: boolean;
}

export function planOf({ uid, desired, live, isFinished, hasOwnCertificate, recreate }: PlanInput): Plan {
  const keyOf = (object: KubernetesObject) => titleOf(referenceOf(object));
  const byKey = new Map(live.map((object) => [keyOf(object), object]));
  const isOwn = (object: KubernetesObject) => controllerOf(object)?.uid === uid;
  // Left by an orphan deletion, or applied from `flux-pod render`.
  const isAdoptable = ({ metadata }: KubernetesObject, wanted: KubernetesObject) =>
    metadata.labels?.[clusterLabel] !== undefined &&
    metadata.labels[clusterLabel] === wanted.metadata.labels?.[clusterLabel];
  /** Of a MiniCluster of the same name, which has been deleted. */
  const isPredecessors = (existing: KubernetesObject, wanted: KubernetesObject) => {
    const [owner, successor] = [controllerOf(existing), controllerOf(wanted)];
    return owner?.kind === 'MiniCluster' && owner.name === successor?.name && owner.uid !== uid;
  };
  const steps: Step[] = [];
  const outdated: string[] = [];
  const outdatedClaim: string[] = [];
  const outdatedSecret: string[] = [];
  const foreign: string[] = [];
  for (const object of desired) {
    const existing = byKey.get(keyOf(object));
    if (!existing) {
      if (!isFinished || !isOfTheRun(object)) steps.push({ act: 'apply', object, why: 'missing' });
    } else if (isPredecessors(existing, object)) {
      // The garbage collector deletes it, which the watch reports.
    } else if (controllerOf(existing) ? !isOwn(existing) : !isAdoptable(existing, object)) {
      foreign.push(keyOf(object));
    } else if (existing.metadata.deletionTimestamp !== undefined) {
      // It is created again when it is away: the watch reports that.
    } else if (object.kind === 'Job') {
      const job = planJob(object, existing, recreate);
      steps.push(...job.steps);
      outdated.push(...job.outdated);
    } else if (object.kind === claimKind || isImmutable(existing)) {
      const removed = removedFields(object, existing);
      const changed = changesOf(object, existing, removed);
      if (object.kind === claimKind) outdatedClaim.push(...changed.filter((path) => !isOfMetadata(path)));
      else if (hasOwnCertificate && !changed.every(isOfMetadata)) outdatedSecret.push(object.metadata.name);
      const why = changed.filter(isOfMetadata);
      const patch = { metadata: metadataPatch(object, existing, removed) };
      if (why.length > 0) steps.push({ act: 'patch', object: existing, patch, why });
    } else {
      const changed = changesOf(object, existing, removedFields(object, existing));
      if (changed.length > 0) steps.push({ act: 'apply', object, why: changed });
    }
  }
  const wanted = new Set(desired.map(keyOf));
  const surplus = live.filter(
    (object) => isOwn(object) && !wanted.has(keyOf(object)) && object.kind !== claimKind,
  );
  for (const object of surplus)
    if (object.metadata.deletionTimestamp === undefined)
      steps.push({ act: 'delete', object, why: 'not desired' });
  return { steps, outdated, outdatedClaim, outdatedSecret, foreign };
}

const changesOf = (desired: KubernetesObject, existing: KubernetesObject, removed: readonly string[]) => [
  ...new Set([...differences(desired, existing), ...removed]),
];

/** A Secret whose data the API server never changes: a certificate that exists is the one with which pods run, whatever made it. */
const isImmutable = (object: KubernetesObject): boolean =>
  object.kind === 'Secret' && (object as { immutable?: boolean }).immutable === true;
const isOfMetadata = (path: string): boolean => path.startsWith('metadata.');

/** Of a JSON merge patch, in which what is to be removed is null. */
function metadataPatch(
  { metadata: desired }: KubernetesObject,
  { metadata: existing }: KubernetesObject,
  removed: readonly string[],
) {
  const entries = (field: 'labels' | 'annotations') => {
    const gone = Object.keys(existing[field] ?? {}).filter((key) =>
      removed.includes(join(`metadata.${field}`, key)),
    );
    return { ...Object.fromEntries(gone.map((key) => [key, null])), ...desired[field] };
  };
  return {
    labels: entries('labels'),
    annotations: entries('annotations'),
    ownerReferences: desired.ownerReferences,
  };
}

/** Its spec does not change (kubernetes pkg/apis/core/validation, ValidatePersistentVolumeClaimUpdate), and its data is never deleted here. */
const claimKind = 'PersistentVolumeClaim';

/** What a MiniCluster that has ended does not need again. */
const isOfTheRun = ({ kind }: KubernetesObject): boolean => kind === 'Job' || kind === claimKind;

/**
 * The fields of a Job that may change (kubernetes pkg/apis/batch/validation, ValidateJobSpecUpdate); `completions` together with
 * `parallelism`, as in an elastic Indexed Job.
 */
const mutable = [
  'completions',
  'parallelism',
  'suspend',
  'activeDeadlineSeconds',
  'ttlSecondsAfterFinished',
  'backoffLimit',
] as const;

/** Those of them that can be taken away: `suspend` is, by its own annotation, and `backoffLimit` gets its default. */
const removable: readonly string[] = ['spec.activeDeadlineSeconds', 'spec.ttlSecondsAfterFinished'];

function planJob(desired: KubernetesObject, existing: KubernetesObject, recreate: boolean) {
  const job = existing as KubernetesObject & Job;
  // A Job that has ended stays as it ran.
  if (jobEnd(job)) return { steps: [], outdated: [] };
  const removed = removedFields(desired, existing).filter((path) => path !== 'spec.suspend');
  const changed = changesOf(desired, existing, removed);
  const isMutable = (path: string) =>
    isOfMetadata(path) ||
    (removed.includes(path) ? removable.includes(path) : mutable.some((field) => path === `spec.${field}`));
  const outdated = changed.filter((path) => !isMutable(path));
  if (outdated.length > 0 && recreate)
    return { steps: [{ act: 'delete', object: existing, why: 'recreate' } as const], outdated: [] };
  const resumed = isResumed(desired, existing);
  const why = [...changed.filter(isMutable), ...(resumed ? ['spec.suspend'] : [])];
  if (why.length === 0) return { steps: [], outdated };
  const wanted = { ...(desired as KubernetesObject & Job).spec, ...(resumed && { suspend: false }) };
  const spec = Object.fromEntries(
    mutable.flatMap((field) => (why.includes(`spec.${field}`) ? [[field, wanted[field] ?? null]] : [])),
  );
  const metadata = metadataPatch(desired, existing, removed);
  const annotations = { ...metadata.annotations, ...(resumed && { [suspendedAnnotation]: null }) };
  const changesMetadata = resumed || why.some(isOfMetadata);
  const patch = {
    ...(changesMetadata && { metadata: { ...metadata, annotations } }),
    ...(Object.keys(spec).length > 0 && { spec }),
  };
  return { steps: [{ act: 'patch', object: existing, patch, why } as const], outdated };
}

/** The Job was suspended for `spec.suspend`, which no longer asks for it. */
const isResumed = (desired: KubernetesObject, existing: KubernetesObject): boolean =>
  suspendedFor(existing) !== undefined && suspendedFor(desired) === undefined;
