import type { Job, JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type { ContainerState, Pod } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { type Observed, statusOf } from '../../../controller/reconcile/minicluster-status.ts';
import { indexLabel } from '../../../controller/render/reserved/names.ts';

const now = '2026-11-26T10:00:00Z';
const later = '2026-11-26T10:05:00Z';

const job = (status: JobStatus = {}, spec: object = {}): Job => ({
  metadata: { name: 'mc', uid: 'u-1' },
  spec: { completions: 4, parallelism: 4, template: { spec: { containers: [{ name: 'mc' }] } }, ...spec },
  status: { startTime: '2026-11-26T09:59:00Z', ...status },
});

const ended = (type: string, reason?: string): JobStatus => ({
  conditions: [
    {
      type,
      status: 'True',
      message: `Job has ${type}`,
      lastTransitionTime: now,
      ...(reason !== undefined && { reason }),
    },
  ],
});

const pod = (
  index: number,
  { ready = false, state = {} as ContainerState, phase = 'Running' } = {},
): Pod => ({
  metadata: { name: `mc-${index}-abcde`, labels: { [indexLabel]: String(index) } },
  status: {
    phase,
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    containerStatuses: [{ name: 'mc', state, ready, image: '', imageID: '', restartCount: 0 }],
  },
});

const four = (ready: readonly boolean[]) => ready.map((is, index) => pod(index, { ready: is }));
const exited = (exitCode: number, message = `The program has ended with ${exitCode}`) =>
  pod(0, {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    state: { terminated: { exitCode, message, finishedAt: now } },
  });

const base: Observed = {
  name: 'mc',
  generation: 2,
  previous: undefined,
  size: 4,
  maxSize: 8,
  quorum: 3,
  problems: [],
  outdated: [],
  outdatedClaim: [],
  outdatedSecret: [],
  sizeRefused: undefined,
  demandUnknown: undefined,
  refused: undefined,
  job: undefined,
  pods: [],
  leader: undefined,
  api: undefined,
  sizeDecidedBy: undefined,
};

/** The types that hold, and the reason of the first that is about the life. */
const of = (observed: Partial<Observed>) => {
  const status = statusOf({ ...base, ...observed }, now);
  const holding = status.conditions.filter(({ status: is }) => is === 'True').map(({ type }) => type);
  const [ready] = status.conditions;
  return { status, holding, reason: ready?.reason, message: ready?.message };
};

describe('the demand in the status of a MiniCluster', () => {
  const demand = { wanted: 6, idle: 1, busy: 3, active: 4, unfit: [], unfitCount: 0 };
  const shown = { wanted: 6, idle: 1 };
  const statusWith = (observed: Partial<Observed>) => of({ job: job(), ...observed }).status;

  it('is what the leader reports, with the job that decides and those that can never run', () => {
    expect(statusWith({ leader: { brokersOnline: 2, demand } }).demand).toEqual(shown);
    const reason = 'job ƒ2x needs 6 nodes';
    const unfit = [{ id: 'ƒ3y', why: 'it needs 9 nodes' }];
    expect(
      statusWith({ leader: { brokersOnline: 2, demand: { ...demand, reason, unfit, unfitCount: 5 } } })
        .demand,
    ).toEqual({ ...shown, reason, unfit, unfitCount: 5 });
  });

  it('goes with the report, and outlives a controller until the first one, but not its Job', () => {
    const previous = statusWith({ leader: { brokersOnline: 2, demand } });
    expect(statusWith({ previous, leader: undefined }).demand).toBeUndefined();
    expect(statusWith({ previous, leader: 'pending' }).demand).toEqual(shown);
    const other = { ...job(), metadata: { name: 'mc', uid: 'u-2' } };
    expect(statusWith({ previous, leader: 'pending', job: other }).demand).toBeUndefined();
  });
});

describe('the conditions of a MiniCluster', () => {
  it.each<[string, Partial<Observed>, string, string[], string]>([
    ['without its Job', {}, 'Pending', ['Progressing'], 'JobMissing'],
    ['with a Job without pods', { job: job() }, 'Starting', ['Progressing'], 'WaitingForQuorum'],
    [
      'with pods that are not ready',
      { job: job(), pods: four([false, false, false, false]) },
      'Starting',
      ['Progressing'],
      'WaitingForQuorum',
    ],
    [
      'with a ready leader and all',
      { job: job(), pods: four([true, true, true, true]) },
      'Running',
      ['Ready'],
      'AllOnline',
    ],
    [
      'with its quorum',
      { job: job(), pods: four([true, true, true, false]) },
      'Running',
      ['Ready', 'Progressing'],
      'QuorumOnline',
    ],
    [
      'with followers that are ready, and a leader that is not',
      { job: job(), pods: four([false, true, true, true]) },
      'Starting',
      ['Progressing'],
      'WaitingForQuorum',
    ],
    [
      'that is complete',
      { job: job(ended('Complete')), pods: [exited(0)] },
      'Succeeded',
      ['Succeeded'],
      'Completed',
    ],
    [
      'whose program has failed',
      { job: job(ended('Failed', 'PodFailurePolicy')), pods: [exited(3)] },
      'Failed',
      ['Failed'],
      'PodFailurePolicy',
    ],
    [
      'past its deadline',
      { job: job(ended('Failed', 'DeadlineExceeded')) },
      'Failed',
      ['Failed'],
      'DeadlineExceeded',
    ],
    [
      'that is suspended',
      { job: job(ended('Suspended'), { suspend: true }) },
      'Suspended',
      ['Suspended'],
      'Suspended',
    ],
    [
      'that is to be suspended, and still has pods',
      { job: job({}, { suspend: true }), pods: four([true, true, true, true]) },
      'Running',
      ['Ready'],
      'AllOnline',
    ],
    [
      'that is invalid from the start',
      { problems: ['spec.size: expected a whole number from 1'] },
      'Invalid',
      [],
      'Invalid',
    ],
    [
      'that has become invalid',
      { job: job(), pods: four([true, true, true, true]), problems: ['x'] },
      'Running',
      ['Ready'],
      'AllOnline',
    ],
  ])('%s', (_, observed, state, holding, reason) => {
    const seen = of(observed);
    expect(seen.status.state).toBe(state);
    expect(seen.holding.filter((type) => type !== 'Valid' && type !== 'UpToDate')).toEqual(holding);
    expect(seen.reason).toBe(reason);
  });

  it('name a Secret whose certificate is not the one that is asked for', () => {
    const { conditions } = of({ job: job(), outdatedSecret: ['mc-curve'] }).status;
    expect(conditions.find(({ type }) => type === 'UpToDate')).toMatchObject({
      status: 'False',
      reason: 'SecretImmutable',
      message: expect.stringContaining('delete the Secret mc-curve and the Job'),
    });
  });

  it('count the brokers as an earlier controller has done until the leader reports', () => {
    const pods = four([true, true, true, true]);
    const jobs = { pending: 0, running: 1, inactive: 7 };
    const previous = of({ job: job(), pods, leader: { brokersOnline: 3, jobs } }).status;
    expect(of({ job: job(), pods, leader: 'pending', previous }).status.brokersOnline).toBe(3);
    expect(of({ job: job(), pods, leader: undefined, previous }).status.brokersOnline).toBe(4);
    expect(of({ job: job(), pods, leader: 'pending' }).status.brokersOnline).toBe(4);
  });

  it('say how many brokers are online, by the leader’s count where it reports', () => {
    const pods = four([true, true, true, false]);
    expect(of({ job: job(), pods }).message).toBe('3 of 4 brokers are online.');
    const leader = { brokersOnline: 2, jobs: undefined };
    expect(of({ job: job(), pods, leader }).status.brokersOnline).toBe(2);
  });

  it('say why pods do not start', () => {
    const unschedulable: Pod = {
      ...pod(1),
      status: {
        phase: 'Pending',
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/1 nodes are available: 1 Insufficient cpu.',
          },
        ],
      },
    };
    expect(of({ job: job(), pods: [pod(0), unschedulable] })).toMatchObject({
      reason: 'PodsNotStarting',
      message: 'mc-1-abcde cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu.',
    });
    const image = pod(2, {
      state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nowhere"' } },
    });
    expect(of({ job: job(), pods: [image] }).message).toBe(
      'mc-2-abcde, container mc: ImagePullBackOff: Back-off pulling image "nowhere"',
    );
    const ordinary = pod(2, { state: { waiting: { reason: 'ContainerCreating' } } });
    expect(of({ job: job(), pods: [ordinary] }).reason).toBe('WaitingForQuorum');
  });

  it('name each problem of an invalid one', () => {
    const { status } = of({ problems: ['spec.size: expected 1', 'spec.contaners: is no field'] });
    const valid = status.conditions.find(({ type }) => type === 'Valid');
    expect(valid).toMatchObject({
      status: 'False',
      reason: 'InvalidSpec',
      message: 'spec.size: expected 1\nspec.contaners: is no field',
    });
  });

  it('name the fields that a Job does not take, a size out of bounds first, and a demand that is unknown last', () => {
    const upToDate = (observed: Partial<Observed>) =>
      of({ job: job(), ...observed }).status.conditions.find(({ type }) => type === 'UpToDate');
    const outdated = ['spec.template.spec.containers[flux].image'];
    expect(upToDate({})).toMatchObject({ status: 'True' });
    expect(upToDate({ outdated })).toMatchObject({ status: 'False', reason: 'JobImmutable' });
    expect(upToDate({ outdated })?.message).toContain(outdated[0]);
    expect(upToDate({ outdated, demandUnknown: 'no report' })).toMatchObject({ reason: 'JobImmutable' });
    expect(upToDate({ demandUnknown: 'no report' })).toMatchObject({
      status: 'False',
      reason: 'DemandUnknown',
      message: 'no report',
    });
    expect(upToDate({ outdated, sizeRefused: '9 is above spec.maxSize, 8' })).toMatchObject({
      reason: 'SizeOutOfBounds',
      message: '9 is above spec.maxSize, 8',
    });
  });

  it('keep the time of their last transition, and what other writers have set', () => {
    const first = statusOf({ ...base, job: job() }, now);
    const foreign = { ...(first.conditions[0] as (typeof first.conditions)[0]), type: 'example.com/Billed' };
    const previous = { ...first, conditions: [...first.conditions, foreign] };
    const second = statusOf({ ...base, previous, job: job(), pods: four([true, true, true, true]) }, later);
    const timeOf = (type: string) => second.conditions.find((each) => each.type === type)?.lastTransitionTime;
    expect(timeOf('Ready')).toBe(later);
    expect(timeOf('Succeeded')).toBe(now);
    expect(second.conditions.at(-1)).toEqual(foreign);
  });

  it('are the same for the same observation, so that nothing is written', () => {
    const observed: Observed = { ...base, job: job(), pods: four([true, true, true, true]) };
    const first = statusOf(observed, now);
    expect(statusOf({ ...observed, previous: first }, later)).toEqual(first);
  });
});

describe('the status', () => {
  it('serves the scale subresource from the first moment', () => {
    expect(statusOf(base, now)).toMatchObject({
      size: 4,
      maximumSize: 8,
      selector: 'flux-pod/minicluster=mc',
      jobid: '',
    });
    expect(statusOf({ ...base, job: job({}, { completions: 6 }) }, now)).toMatchObject({
      size: 6,
      jobid: 'u-1',
    });
  });

  it('has the exit code and the last sentence of the leader, also when its pod is deleted later', () => {
    const first = statusOf(
      { ...base, job: job(ended('Failed', 'PodFailurePolicy')), pods: [exited(3)] },
      now,
    );
    expect(first).toMatchObject({
      exitCode: 3,
      message: 'The program has ended with 3',
      completionTime: now,
    });
    const second = statusOf(
      { ...base, previous: first, job: job(ended('Failed', 'PodFailurePolicy')) },
      later,
    );
    expect(second).toMatchObject({ exitCode: 3, message: 'The program has ended with 3' });
    expect(second.conditions).toEqual(first.conditions);
  });

  it('has the exit code of the last run of the leader', () => {
    const replaced = {
      ...exited(143, 'Stopped by SIGTERM'),
      metadata: { name: 'old', labels: { [indexLabel]: '0' } },
    };
    const terminated = replaced.status?.containerStatuses?.[0]?.state?.terminated;
    if (terminated) terminated.finishedAt = '2026-11-26T09:00:00Z';
    const status = statusOf({ ...base, job: job(ended('Complete')), pods: [exited(0), replaced] }, now);
    expect(status.exitCode).toBe(0);
  });

  it('has no exit code while the Job runs, not even of a leader that is being replaced', () => {
    expect(statusOf({ ...base, job: job(), pods: [exited(137)] }, now).exitCode).toBeUndefined();
  });

  it('keeps the last count of jobs when the instance has ended', () => {
    const jobs = { pending: 0, running: 1, inactive: 7 };
    const first = statusOf(
      { ...base, job: job(), pods: four([true, true, true, true]), leader: { brokersOnline: 4, jobs } },
      now,
    );
    expect(first.jobs).toEqual(jobs);
    expect(
      statusOf({ ...base, previous: first, job: job(ended('Complete')), pods: [exited(0)] }, now).jobs,
    ).toEqual(jobs);
  });

  const jobs = { pending: 0, running: 1, inactive: 7 };
  const all = four([true, true, true, true]);
  const away = four([false, true, true, true]);
  const before = statusOf({ ...base, job: job(), pods: all, leader: { brokersOnline: 4, jobs } }, now);
  const suspended = job({ conditions: [{ type: 'Suspended', status: 'True' }] }, { suspend: true });
  it.each<[string, Partial<Observed>, object | undefined]>([
    [
      'as reported',
      { pods: all, leader: { brokersOnline: 4, jobs: { ...jobs, running: 2 } } },
      { ...jobs, running: 2 },
    ],
    [
      'as an earlier controller has written them, before the first report',
      { pods: all, leader: 'pending' },
      jobs,
    ],
    [
      'not, before the first report of another Job',
      { pods: all, leader: 'pending', job: { ...job(), metadata: { uid: 'u-2' } } },
      undefined,
    ],
    ['not, where a ready leader does not report them', { pods: all }, undefined],
    [
      'not, where the broker does not count them',
      { pods: all, leader: { brokersOnline: 4, jobs: undefined } },
      undefined,
    ],
    ['as last reported, where there is no ready leader', { pods: away }, jobs],
    [
      'not, where the Job is another one',
      { pods: away, job: { ...job(), metadata: { uid: 'u-2' } } },
      undefined,
    ],
    ['not, where the Job is suspended', { pods: [], job: suspended }, undefined],
  ])('counts jobs of Flux %s', (_, observed, expected) => {
    expect(statusOf({ ...base, job: job(), previous: before, ...observed }, later).jobs).toEqual(expected);
  });
});
