import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { createIdleSuspensions } from '../../../controller/suspend/idle-suspension.ts';
import { suspendedAnnotation } from '../../../controller/suspend/suspended-annotation.ts';
import { jobs } from '../../support/agent/controller-links.ts';

const job = (suspend = false, uid = 'u-1') =>
  ({
    ...{ apiVersion: 'batch/v1', kind: 'Job' },
    metadata: { name: 'mc', uid, ...(suspend && { annotations: { [suspendedAnnotation]: 'idle-1' } }) },
    spec: { suspend, template: {} },
  }) as KubernetesObject & Job;

/** Reports of one MiniCluster, one after the other. */
function startIdle() {
  let ms = 0;
  const { next } = createIdleSuspensions(() => ms);
  return (seconds: number, counts: ReturnType<typeof jobs>, of = job()) => {
    ms = seconds * 1000;
    const live = { generation: 1, idleMs: 60_000, job: of, leader: { brokersOnline: 2, jobs: counts } };
    return next('mc', live);
  };
}

describe('the time without an active job', () => {
  it('begins anew with a job that began and ended between two reports', () => {
    const report = startIdle();
    expect(report(0, jobs(0, 3))).toEqual({ isSuspended: false, again: 60_000 });
    expect(report(59, jobs(0, 4))).toEqual({ isSuspended: false, again: 60_000 });
    expect(report(60, jobs(0, 4))).toEqual({ isSuspended: false, again: 59_000 });
    expect(report(119, jobs(0, 4)).isSuspended).toBe(true);
  });

  it('goes on where Flux purges inactive jobs, and begins anew with the next that ends', () => {
    const report = startIdle();
    report(0, jobs(0, 3));
    expect(report(30, jobs(0, 1))).toEqual({ isSuspended: false, again: 30_000 });
    expect(report(59, jobs(0, 2))).toEqual({ isSuspended: false, again: 60_000 });
  });

  it('is that of one Job', () => {
    const report = startIdle();
    report(0, jobs(0, 3));
    expect(report(59, jobs(0, 3), job(false, 'u-2'))).toEqual({ isSuspended: false, again: 60_000 });
  });
});

describe('a Job that was suspended because it was idle', () => {
  it('is resumed where its leader, which still runs, reports a job: it was submitted in that moment', () => {
    const report = startIdle();
    expect(report(0, jobs(0, 3), job(true)).isSuspended).toBe(true);
    expect(report(1, jobs(0, 0, 1), job(true))).toEqual({ isSuspended: false, again: undefined });
    expect(report(2, jobs(1), job(true)).isSuspended).toBe(false);
  });
});
