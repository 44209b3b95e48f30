/** The status of a MiniCluster from what is observed: pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { InstanceFacts } from '../../agent/controller-link/report.ts';
import { clusterLabel } from '../render/reserved/names.ts';
import type { SizeOwner } from '../size/next-size.ts';
import { isIdle } from '../suspend/suspended-annotation.ts';
import { type Condition, isTrue, mergeConditions, type NewCondition } from './conditions.ts';
import {
  activePods,
  isReady,
  isSuspended,
  jobEnd,
  leaderEnd,
  readyLeader,
  startProblem,
} from './job-state.ts';

/** Jobs of Flux by their state. */
type FluxJobs = NonNullable<InstanceFacts['jobs']>;
/** What the queue of Flux needs. */
type Demand = Pick<NonNullable<InstanceFacts['demand']>, 'wanted' | 'idle' | 'reason'> &
  Partial<Pick<NonNullable<InstanceFacts['demand']>, 'unfit' | 'unfitCount'>>;

/** The status subresource. `jobid`, `maximumSize`, `selector` and `size` are the Operator's own, and required by its CRD. */
export interface MiniClusterStatus {
  readonly jobid: string;
  readonly maximumSize: number;
  /** Of the scale subresource: the pods of the Job. */
  readonly selector: string;
  readonly size: number;
  readonly conditions: readonly Condition[];
  readonly observedGeneration: number;
  /** One word for `kubectl get`: the condition that matters most. */
  readonly state: State;
  readonly brokersOnline: number;
  /** RFC 3339. */
  readonly startTime?: string;
  readonly completionTime?: string;
  /** Of the program; of flux-pod where it could not be run. */
  readonly exitCode?: number;
  /** The agent's last sentence. */
  readonly message?: string;
  readonly jobs?: FluxJobs;
  /** The Service of the REST API. */
  readonly api?: string;
  readonly sizeDecidedBy?: SizeOwner;
  readonly demand?: Demand;
}

export type State = 'Invalid' | 'Pending' | 'Starting' | 'Running' | 'Suspended' | 'Succeeded' | 'Failed';

/** What is known of a leader: its report; `pending` before the first one; undefined where there is no leader, or no link to it. */
export type LeaderNews = InstanceFacts | 'pending' | undefined;

export interface Observed {
  readonly name: string;
  readonly generation: number;
  readonly previous: MiniClusterStatus | undefined;
  /** As the MiniCluster asks. */
  readonly size: number;
  readonly maxSize: number;
  readonly quorum: number;
  /** Of an invalid MiniCluster: each with its path, as `render` words them. */
  readonly problems: readonly string[];
  /** Fields whose change a Job does not take. */
  readonly outdated: readonly string[];
  /** Fields whose change the claim for the statedir does not take. */
  readonly outdatedClaim: readonly string[];
  /** Secrets whose certificate is not the one that is asked for. */
  readonly outdatedSecret: readonly string[];
  /** Why the size is not what is asked for; undefined where it is. */
  readonly sizeRefused: string | undefined;
  /** Why the demand, which decides on the size, is not known; undefined where it is, or does not decide. */
  readonly demandUnknown: string | undefined;
  /** What the API server has refused a moment ago, and why. */
  readonly refused: string | undefined;
  readonly job: Job | undefined;
  readonly pods: readonly Pod[];
  readonly leader: LeaderNews;
  readonly api: string | undefined;
  /** Undefined for an invalid MiniCluster. */
  readonly sizeDecidedBy: SizeOwner | undefined;
}

export function statusOf(observation: Observed, now: string): MiniClusterStatus {
  const observed = { ...observation, leader: reportOf(observation) };
  const { name, generation, previous, job, pods, problems, maxSize } = observed;
  const end = job && jobEnd(job);
  // A Job that was deleted after its end, by hand or by a TTL, takes nothing of what is known with it.
  const isPast = !job && previous !== undefined && hasEnded(previous);
  if (isPast) return pastStatus(observed, previous, now);
  const exit = job && leaderEnd(job, pods);
  const [exitCode, message] = end
    ? [exit?.exitCode ?? previous?.exitCode, exit?.message || previous?.message]
    : [undefined, undefined];
  const brokersOnline = brokersOnlineOf(observed);
  const conditions = mergeConditions(
    previous?.conditions ?? [],
    [...lifeOf(observed, brokersOnline), validity(problems), currency(observed)],
    { generation, now },
  );
  const jobs = jobsOf(observed);
  const demand = demandOf(observation);
  return {
    jobid: job?.metadata?.uid ?? previous?.jobid ?? '',
    maximumSize: maxSize,
    selector: `${clusterLabel}=${name}`,
    size: job?.spec?.completions ?? observed.size,
    conditions,
    observedGeneration: generation,
    state: stateOf(conditions, job !== undefined),
    brokersOnline,
    ...(job?.status?.startTime !== undefined && { startTime: job.status.startTime }),
    ...(end?.time !== undefined && { completionTime: end.time }),
    ...(exitCode !== undefined && { exitCode }),
    ...(message !== undefined && { message }),
    ...(jobs && { jobs }),
    ...(observed.api !== undefined && { api: observed.api }),
    ...(observed.sizeDecidedBy !== undefined && { sizeDecidedBy: observed.sizeDecidedBy }),
    ...(demand && { demand }),
  };
}

/** Whether the status is of a MiniCluster whose Job has ended. */
export const hasEnded = ({ conditions }: MiniClusterStatus): boolean =>
  isTrue(conditions, 'Succeeded') || isTrue(conditions, 'Failed');

function pastStatus(observed: Observed, previous: MiniClusterStatus, now: string): MiniClusterStatus {
  const { generation, problems } = observed;
  const current = [validity(problems), currency(observed)];
  return {
    ...previous,
    conditions: mergeConditions(previous.conditions, current, { generation, now }),
    observedGeneration: generation,
  };
}

/** A controller that starts has no report yet: what an earlier one has written of the same Job holds until then. */
function reportOf({ leader, job, previous }: Observed): InstanceFacts | undefined {
  if (leader !== 'pending') return leader;
  if (previous?.jobs === undefined || previous.jobid !== job?.metadata?.uid) return undefined;
  return { brokersOnline: previous.brokersOnline, jobs: previous.jobs };
}

/** What is observed, with a report that counts. */
type Reported = Observed & { readonly leader: InstanceFacts | undefined };

/** The leader's count; without its report, what readiness shows: it is for a broker that is online. */
function brokersOnlineOf({ job, pods, leader }: Reported): number {
  if (!job || jobEnd(job) || isSuspended(job)) return 0;
  return leader?.brokersOnline ?? activePods(pods).filter(isReady).length;
}

/** As the leader reports them. A leader's pod ends before its Job does: what was last reported stays. */
function jobsOf({ job, pods, leader, previous }: Reported): FluxJobs | undefined {
  if (!job || isSuspended(job)) return undefined;
  if (leader?.jobs || readyLeader(pods)) return leader?.jobs;
  return previous?.jobid === job.metadata?.uid ? previous?.jobs : undefined;
}

/** As the leader reports it, without what changes with every job. An earlier controller's holds until the first report. */
function demandOf({ job, leader, previous }: Observed): Demand | undefined {
  if (leader === 'pending') return previous?.jobid === job?.metadata?.uid ? previous?.demand : undefined;
  if (!leader?.demand) return undefined;
  const { wanted, idle, reason, unfit, unfitCount } = leader.demand;
  return {
    wanted,
    idle,
    ...(reason !== undefined && { reason }),
    ...(unfitCount > 0 && { unfit, unfitCount }),
  };
}

const condition = (type: string, holds: boolean, reason: string, message: string): NewCondition => ({
  type,
  status: holds ? 'True' : 'False',
  reason,
  message,
});

/** Ready, Progressing, Succeeded, Failed and Suspended: at most one of the last three is true. */
function lifeOf(observed: Observed, brokersOnline: number): NewCondition[] {
  const { job, pods, problems, size, quorum } = observed;
  const all = (reason: string, message: string, holding: readonly string[]) =>
    ['Ready', 'Progressing', 'Succeeded', 'Failed', 'Suspended'].map((type) =>
      condition(type, holding.includes(type), reason, message),
    );
  if (!job)
    return problems.length > 0
      ? all('Invalid', 'Nothing is created while the MiniCluster is invalid.', [])
      : all('JobMissing', 'The Job does not exist yet.', ['Progressing']);
  const end = jobEnd(job);
  if (end) {
    const exit = leaderEnd(job, pods);
    const message = exit?.message || observed.previous?.message || end.message;
    return all(end.kind === 'Complete' ? 'Completed' : end.reason, message, [
      end.kind === 'Complete' ? 'Succeeded' : 'Failed',
    ]);
  }
  if (isSuspended(job) && isIdle(job)) return all('Idle', idleMessage, ['Suspended']);
  if (isSuspended(job)) return all('Suspended', 'The Job is suspended: its pods are stopped.', ['Suspended']);
  const online = `${brokersOnline} of ${size} brokers are online`;
  if (!readyLeader(pods)) {
    const problem = startProblem(activePods(pods));
    return all(
      problem === undefined ? 'WaitingForQuorum' : 'PodsNotStarting',
      problem ?? `${online}, ${quorum} are required.`,
      ['Progressing'],
    );
  }
  const complete = brokersOnline === size;
  return all(
    complete ? 'AllOnline' : 'QuorumOnline',
    `${online}.`,
    complete ? ['Ready'] : ['Ready', 'Progressing'],
  );
}

const idleMessage =
  'No job was active for spec.idleTimeout: the pods are stopped, and the queue is kept. A change of the spec, or suspend: false of the Job, resumes it.';

const validity = (problems: readonly string[]): NewCondition =>
  problems.length === 0
    ? condition('Valid', true, 'Valid', 'Every field can be used.')
    : condition('Valid', false, 'InvalidSpec', problems.join('\n'));

const unknownReason = 'DemandUnknown';

/** Whether an earlier status of this Job says that the demand is unknown. */
export const wasDemandUnknown = (previous: MiniClusterStatus | undefined, job: Job | undefined): boolean =>
  previous !== undefined &&
  previous.jobid === job?.metadata?.uid &&
  previous.conditions.some(({ type, reason }) => type === 'UpToDate' && reason === unknownReason);

function currency({
  outdated,
  outdatedClaim,
  outdatedSecret,
  sizeRefused,
  demandUnknown,
  refused,
  problems,
}: Observed): NewCondition {
  if (problems.length > 0)
    return condition(
      'UpToDate',
      false,
      'InvalidSpec',
      'An invalid MiniCluster changes nothing: see the condition Valid.',
    );
  if (refused !== undefined) return condition('UpToDate', false, 'Refused', refused);
  if (sizeRefused !== undefined) return condition('UpToDate', false, 'SizeOutOfBounds', sizeRefused);
  if (outdated.length > 0)
    return condition(
      'UpToDate',
      false,
      'JobImmutable',
      `A Job does not take these changes: ${outdated.join(', ')}. Delete the Job, or set the annotation flux-pod/update-strategy: Recreate.`,
    );
  if (outdatedClaim.length > 0)
    return condition(
      'UpToDate',
      false,
      'ClaimImmutable',
      `A PersistentVolumeClaim does not take these changes: ${outdatedClaim.join(', ')}. Where its class allows it \`kubectl patch pvc\` grows it.`,
    );
  if (outdatedSecret.length > 0)
    return condition(
      'UpToDate',
      false,
      'SecretImmutable',
      `spec.flux.curveCert is not the certificate with which pods run: delete the Secret ${outdatedSecret.join(', ')} and the Job.`,
    );
  if (demandUnknown !== undefined) return condition('UpToDate', false, unknownReason, demandUnknown);
  return condition('UpToDate', true, 'Applied', 'All objects are as the MiniCluster asks.');
}

function stateOf(conditions: readonly Condition[], hasJob: boolean): State {
  const holds = (type: string) => isTrue(conditions, type);
  if (holds('Succeeded')) return 'Succeeded';
  if (holds('Failed')) return 'Failed';
  if (!hasJob && !holds('Valid')) return 'Invalid';
  if (holds('Suspended')) return 'Suspended';
  if (holds('Ready')) return 'Running';
  return hasJob ? 'Starting' : 'Pending';
}
