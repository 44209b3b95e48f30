/** Makes one MiniCluster what it asks for: reads the informers' copies, plans, executes, writes the status where it changed. */
import { isDeepStrictEqual } from 'node:util';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesApi } from '../kubernetes/api.ts';
import { soonest } from '../kubernetes/controller-clock.ts';
import type { RecordEvent } from '../kubernetes/events.ts';
import { controllerOf, type KubernetesObject } from '../kubernetes/object.ts';
import { resourceOf, resources } from '../kubernetes/resources.ts';
import { type LeaderTarget, leaderTarget } from '../leader-link/leader-target.ts';
import type { RenderOptions } from '../render/minicluster/cluster.ts';
import { createLiveSizes } from '../size/live-size.ts';
import { followsDemand, liveMiniCluster, scaledEvent } from '../size/size-of-desired.ts';
import { createUnknownDemands } from '../size/unknown-demand.ts';
import { createIdleSuspensions, suspended } from '../suspend/idle-suspension.ts';
import { type Desired, type Invalid, isInvalid, resized } from './desired.ts';
import { createDesiredCache } from './desired-cache.ts';
import { executePlan } from './execute-plan.ts';
import { jobEnd } from './job-state.ts';
import { hasEnded, type LeaderNews, type MiniClusterStatus, statusOf } from './minicluster-status.ts';
import { type Plan, planOf } from './plan.ts';
import { eventsBetween } from './story.ts';
import { createUnfitJobs } from './unfit-jobs.ts';

/** What the informers hold of one MiniCluster. */
export interface Copies {
  readonly miniCluster: (namespace: string, name: string) => KubernetesObject | undefined;
  /** Of the kinds that are rendered, by the label of the MiniCluster. */
  readonly owned: (namespace: string, name: string) => readonly KubernetesObject[];
  readonly pods: (namespace: string, name: string) => readonly Pod[];
  /** What the controller has just written: a copy may be behind its own writes. */
  readonly wrote: (object: KubernetesObject) => void;
}

export interface ReconcilerOptions {
  readonly api: KubernetesApi;
  readonly copies: Copies;
  readonly record: RecordEvent;
  /** Keeps a link to the leader of a MiniCluster, or none, and returns what it has reported. */
  readonly followLeader: (namespace: string, name: string, target: LeaderTarget | undefined) => LeaderNews;
  /** Asks the leader that is followed to keep this size: ranks from there up take no new jobs. The same again costs nothing. */
  readonly keep: (namespace: string, name: string, size: number) => void;
  readonly renderOptions: (object: KubernetesObject) => RenderOptions;
  /** How long a MiniCluster with `cleanup` stays after its end, so that its log can be read. Milliseconds. */
  readonly cleanupMs: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly monotonic?: () => number;
}

/** What is to be done later without an event; milliseconds. */
export interface Outcome {
  readonly again: number | undefined;
}

export type Reconcile = (namespace: string, name: string) => Promise<Outcome>;

const recreateAnnotation = 'flux-pod/update-strategy';

export function createReconciler({
  api,
  copies,
  record,
  followLeader,
  keep,
  renderOptions,
  cleanupMs,
  now = Date.now,
  monotonic = () => performance.now(),
}: ReconcilerOptions): Reconcile {
  const cache = createDesiredCache(renderOptions);
  const sizes = createLiveSizes({ monotonic, now });
  const unknownDemands = createUnknownDemands(monotonic);
  const unfitJobs = createUnfitJobs();
  const suspensions = createIdleSuspensions(monotonic);
  /** Fields of the status that the installed CRD does not have: the Operator's has four and the conditions. */
  const unknown = new Set<string>();
  const knownTo = (status: MiniClusterStatus) =>
    Object.fromEntries(Object.entries(status).filter(([field]) => !unknown.has(field)));

  return async (namespace, name) => {
    const key = `${namespace}/${name}`;
    // 1. What there is.
    const object = copies.miniCluster(namespace, name);
    // Its dependents go by garbage collection: nothing is created for a MiniCluster that is being deleted.
    if (!object || object.metadata.deletionTimestamp !== undefined) {
      cache.forget(namespace, name);
      sizes.next(key, undefined);
      suspensions.next(key, undefined);
      unknownDemands.next(key, undefined);
      unfitJobs.forget(key);
      followLeader(namespace, name, undefined);
      return { again: undefined };
    }
    const previous = (object as { status?: MiniClusterStatus }).status;
    const before = liveOf(copies, object, []);
    const { owned, job } = before;
    const leader = followLeader(namespace, name, leaderTarget({ namespace, name, ...before }));

    // 2. What is asked for.
    const asked = cache.desired(object, job);
    const size = sizes.next(key, liveMiniCluster(asked, before, leader));
    if (size?.keep !== undefined) keep(namespace, name, size.keep);
    const unknownDemand = unknownDemands.next(key, followsDemand(asked, before, leader, previous));
    const { generation = 0 } = object.metadata;
    const idleMs = isInvalid(asked) ? undefined : asked.idleMs;
    const idle = suspensions.next(key, { generation, idleMs, job, leader });
    const desired = isInvalid(asked) ? asked : decided(asked, size?.size, idle.isSuspended && generation);
    const isFinished =
      (job !== undefined && jobEnd(job) !== undefined) || (previous !== undefined && hasEnded(previous));

    // 3. What is to be done.
    const first = planFor(object, desired, owned, isFinished);
    const hidden = await withoutLabel(api, first);
    const plan = hidden.length > 0 ? planFor(object, desired, [...owned, ...hidden], isFinished) : first;
    const refusal = await executePlan(plan, object, { api, wrote: copies.wrote, record });

    // 4. The status, where it is another one.
    const live = liveOf(copies, object, hidden.filter(isOwnedBy(object)));
    const scaled = scaledEvent(asked, size?.reason, job, live.job);
    if (scaled) record({ ...scaled, regarding: object });
    const status = statusOf(
      {
        ...observedOf(object, desired, plan, previous),
        ...live,
        refused: refusal?.sentence,
        demandUnknown: unknownDemand.why,
        leader,
      },
      new Date(now()).toISOString().replace(/\.\d+Z/, 'Z'),
    );
    if (!isDeepStrictEqual(knownTo(status), previous && knownTo(previous))) {
      const answer = await writeStatus(api, object, previous, status);
      copies.wrote(answer);
      for (const field of Object.keys(status))
        if (!(field in (answer as KubernetesObject & WithStatus).status)) unknown.add(field);
      const warnings = isInvalid(desired) ? [] : desired.warnings;
      for (const event of eventsBetween(previous, status, warnings))
        record({ ...event, regarding: object, action: 'Observe' });
    }
    // The Operator's CRD has no place for them in the status.
    for (const event of unfitJobs.events(key, previous, status))
      record({ ...event, regarding: object, action: 'Observe' });

    // 5. The end.
    const { again } = await cleanUp(api, object, status, cleanupMs, now());
    // What refuses it may change its mind, and nothing that is watched would show that.
    if (refusal) throw refusal.error;
    // No watch shows when another owner's object has gone, nor one without the label that is waited for.
    const waits = plan.foreign.length > 0 || hidden.some(isWaitedFor(object));
    return {
      again: soonest(again, size?.again, idle.again, unknownDemand.again, waits ? foreignMs : undefined),
    };
  };
}

/** With what was decided beside what is asked for. `idle`: the generation that is suspended for that. */
function decided(asked: Desired, size: number | undefined, idle: number | false): Desired {
  const sized = size === undefined ? asked : resized(asked, size);
  return idle === false ? sized : suspended(sized, idle);
}

/** How often it is looked whether a name is free. */
const foreignMs = 30_000;

/** What there is, with what was written a moment ago. An earlier Job's pods, and those of spec.services, have the label as well. */
function liveOf(copies: Copies, object: KubernetesObject, hidden: readonly KubernetesObject[]) {
  const { namespace = '', name } = object.metadata;
  const owned = [...copies.owned(namespace, name), ...hidden];
  const job = jobAmong(owned, object) as (KubernetesObject & Job) | undefined;
  const isOwn = (pod: Pod) => controllerOf(pod as KubernetesObject)?.uid === job?.metadata.uid;
  return { owned, job, pods: job ? copies.pods(namespace, name).filter(isOwn) : [] };
}

/** The one of a MiniCluster that had the same name, and may have ended, is none of this one. */
const jobAmong = (
  objects: readonly KubernetesObject[],
  { metadata: { name, uid } }: KubernetesObject,
): KubernetesObject | undefined =>
  objects.find(
    (object) =>
      object.kind === 'Job' && object.metadata.name === name && (controllerOf(object)?.uid ?? uid) === uid,
  );

function planFor(
  { metadata, ...object }: KubernetesObject,
  desired: Desired | Invalid,
  live: readonly KubernetesObject[],
  isFinished: boolean,
): Plan {
  if (isInvalid(desired))
    return { steps: [], outdated: [], outdatedClaim: [], outdatedSecret: [], foreign: [] };
  return planOf({
    uid: metadata.uid ?? '',
    desired: desired.objects,
    live,
    isFinished,
    hasOwnCertificate: Boolean((object as OwnCertificate).spec?.flux?.curveCert),
    recreate: metadata.annotations?.[recreateAnnotation] === 'Recreate',
  });
}

interface OwnCertificate {
  readonly spec?: { readonly flux?: { readonly curveCert?: string } };
}

/**
 * The copies hold what has flux-pod's label. What is missing among them may exist all the same: another user's object of that name, which is not
 * taken over, or one that the Flux Operator has made of this MiniCluster.
 */
async function withoutLabel(api: KubernetesApi, { steps }: Plan): Promise<KubernetesObject[]> {
  const missing = steps.filter(({ why }) => why === 'missing');
  const found = await Promise.all(
    missing.map(({ object }) => {
      const { namespace = '', name } = object.metadata;
      return api.get({ resource: resourceOf(object), namespace, name });
    }),
  );
  return found.filter((object) => object !== undefined);
}

const isOwnedBy =
  ({ metadata: { uid } }: KubernetesObject) =>
  (object: KubernetesObject): boolean =>
    controllerOf(object)?.uid === uid;

/** Another owner's, such as a predecessor's, or one that is being deleted. */
const isWaitedFor = (owner: KubernetesObject) => (object: KubernetesObject) =>
  !isOwnedBy(owner)(object) || object.metadata.deletionTimestamp !== undefined;

interface WithStatus {
  readonly status: object;
}

/** Refused (409) where the MiniCluster has changed since: its conditions are one list, which others may write too. */
function writeStatus(
  api: KubernetesApi,
  { metadata: { namespace = '', name, resourceVersion } }: KubernetesObject,
  previous: MiniClusterStatus | undefined,
  status: MiniClusterStatus,
): Promise<KubernetesObject> {
  const left = Object.keys(previous ?? {}).filter((field) => !(field in status));
  const patch = { ...Object.fromEntries(left.map((field) => [field, null])), ...status };
  const target = { resource: resources.miniClusters, namespace, name };
  return api.patch(target, { metadata: { resourceVersion }, status: patch }, 'status');
}

function observedOf(
  object: KubernetesObject,
  desired: Desired | Invalid,
  { outdated, outdatedClaim, outdatedSecret, foreign }: Plan,
  previous: MiniClusterStatus | undefined,
) {
  const common = {
    name: object.metadata.name,
    generation: object.metadata.generation ?? 0,
    previous,
    outdated,
    outdatedClaim,
    outdatedSecret,
  };
  if (!isInvalid(desired)) {
    const { size, maxSize, quorum, sizeRefused, sizeDecidedBy, api } = desired;
    const sizes = { size, maxSize, quorum, sizeRefused, sizeDecidedBy };
    return { ...common, problems: foreign.map(occupied), ...sizes, api };
  }
  const size = previous?.size ?? 0;
  const maxSize = previous?.maximumSize ?? size;
  const sizes = { size, maxSize, quorum: size, sizeRefused: undefined, sizeDecidedBy: undefined };
  return { ...common, ...sizes, api: previous?.api, problems: desired.problems };
}

const occupied = (title: string): string =>
  `metadata.name: ${title} exists and belongs to something else: delete it, or rename the MiniCluster`;

async function cleanUp(
  api: KubernetesApi,
  object: KubernetesObject,
  { completionTime }: MiniClusterStatus,
  cleanupMs: number,
  now: number,
): Promise<Outcome> {
  const { cleanup, ttlSecondsAfterFinished } = (object as { spec?: CleanupFields }).spec ?? {};
  const ms =
    ttlSecondsAfterFinished === undefined
      ? cleanup
        ? cleanupMs
        : undefined
      : ttlSecondsAfterFinished * 1000;
  if (ms === undefined || completionTime === undefined) return { again: undefined };
  const left = Date.parse(completionTime) + ms - now;
  if (left > 0) return { again: left };
  const { namespace = '', name, uid } = object.metadata;
  await api.delete({ resource: resources.miniClusters, namespace, name }, uid);
  return { again: undefined };
}

interface CleanupFields {
  readonly cleanup?: boolean;
  readonly ttlSecondsAfterFinished?: number;
}
