/** A MiniCluster that has had no active job for spec.idleTimeout: on virtual time. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { resources } from '../../../controller/kubernetes/resources.ts';
import { miniCluster } from '../../support/kubernetes/controller-bed.ts';
import { createFakeLeaders, podIP } from '../../support/kubernetes/fake-leaders.ts';
import { isWrite } from '../../support/kubernetes/faulty-api.ts';
import { createVirtualBed } from '../../support/kubernetes/virtual-bed.ts';
import { environmentOf, fluxContainerOf, render, warningsOf } from '../../support/manifests/miniclusters.ts';

const stateVolume = { size: '1Gi' };
const container = { disable: true };

async function startIdle(idleTimeout = 600) {
  const bed = createVirtualBed({ podIP });
  const leaders = createFakeLeaders();
  const start = () => bed.start({ createLeaders: leaders.create });
  const instance = start();
  bed.create(miniCluster({ idleTimeout, flux: { container, stateVolume } }));
  await bed.clock.run(1000);
  const job = () => bed.find(resources.jobs) as Job | undefined;
  const pass = (seconds: number) => bed.clock.run(seconds * 1000);
  const isRunning = () => !job()?.spec?.suspend && bed.all(resources.pods).length === 2;
  return { bed, leaders, instance, start, job, pass, isRunning };
}

describe('a MiniCluster with a state directory', () => {
  it('is suspended when no job was active for spec.idleTimeout, and its status says so', async () => {
    const { bed, leaders, pass, isRunning } = await startIdle();
    leaders.reportJobs(1);
    await pass(10_000);
    leaders.reportJobs(0);
    await pass(500);
    leaders.reportJobs(1);
    await pass(1);
    leaders.reportJobs(0);
    await pass(598);
    expect(isRunning()).toBe(true);
    await pass(3);
    expect(isRunning()).toBe(false);
    expect(bed.all(resources.pods)).toEqual([]);
    expect(bed.status()?.state).toBe('Suspended');
    expect(bed.status()?.conditions.find(({ type }) => type === 'Suspended')).toMatchObject({
      status: 'True',
      reason: 'Idle',
    });
    expect(bed.stories().get('mc')?.at(-1)).toMatch(/^Suspended: No job was active for spec\.idleTimeout/);
  });

  it.each<[string, (bed: Awaited<ReturnType<typeof startIdle>>['bed']) => void]>([
    ['a change of its spec', (bed) => bed.patch(resources.miniClusters, 'mc', { spec: { suspend: false } })],
    ['its Job’s suspend', (bed) => bed.patch(resources.jobs, 'mc', { spec: { suspend: false } })],
  ])('is resumed by %s, and may be suspended again', async (_, resume) => {
    const { bed, leaders, instance, pass, isRunning } = await startIdle();
    leaders.reportJobs(0);
    await pass(700);
    expect(isRunning()).toBe(false);
    leaders.report(undefined);
    const before = instance.calls.length;
    await pass(100_000);
    expect(instance.calls.slice(before)).toEqual([]);
    resume(bed);
    await pass(60);
    expect(isRunning()).toBe(true);
    leaders.reportJobs(0);
    await pass(599);
    expect(isRunning()).toBe(true);
    await pass(2);
    expect(isRunning()).toBe(false);
  });

  it('stays suspended when the controller starts again, which counts from its start where it is not', async () => {
    const { leaders, instance, start, pass, isRunning } = await startIdle();
    leaders.reportJobs(0);
    await pass(500);
    instance.kill();
    const second = start();
    await pass(500);
    expect(isRunning()).toBe(true);
    await pass(200);
    expect(isRunning()).toBe(false);
    second.kill();
    const third = start();
    await pass(1000);
    expect(isRunning()).toBe(false);
    expect(third.calls.filter(isWrite)).toEqual([]);
  });

  it('is resumed where a job was submitted in the moment of its suspension', async () => {
    const { bed, leaders, job, pass, isRunning } = await startIdle();
    leaders.reportJobs(0);
    await pass(599);
    for (let ms = 0; !job()?.spec?.suspend; ms++) {
      expect(ms).toBeLessThan(2000);
      await bed.clock.run(1);
    }
    leaders.reportJobs(1);
    await pass(60);
    expect(isRunning()).toBe(true);
  });

  it('is not suspended while the leader does not report its jobs', async () => {
    const { leaders, pass, isRunning } = await startIdle();
    leaders.reportJobs(0);
    await pass(300);
    leaders.report(undefined);
    await pass(10_000);
    expect(isRunning()).toBe(true);
  });
});

describe('spec.idleTimeout', () => {
  const variable = (spec: object) =>
    environmentOf(fluxContainerOf(render(spec as never))).FLUX_POD_IDLE_TIMEOUT;

  it('is the leader’s own setting where no queue is kept', () => {
    expect(variable({ idleTimeout: 600 })).toBe('600s');
    expect(variable({ idleTimeout: 600, flux: { stateVolume } })).toBeUndefined();
    expect(variable({})).toBeUndefined();
  });

  it('needs the controller where the queue is kept', () => {
    expect(warningsOf(render({ idleTimeout: 600, flux: { stateVolume } }))).toContainEqual(
      'spec.idleTimeout is not used: with a state volume the controller suspends an idle MiniCluster',
    );
  });
});
