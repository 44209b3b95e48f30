/** The size of a MiniCluster under the controller, which has its leader's reports: on virtual time. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { resources } from '../../../controller/kubernetes/resources.ts';
import { miniCluster } from '../../support/kubernetes/controller-bed.ts';
import { createFakeLeaders, demandOf, podIP } from '../../support/kubernetes/fake-leaders.ts';
import { isWrite } from '../../support/kubernetes/faulty-api.ts';
import { createVirtualBed } from '../../support/kubernetes/virtual-bed.ts';

const elastic = { size: 2, minSize: 1, maxSize: 8, autoscaling: {} };

/** A MiniCluster that runs, with what its leader reports. */
async function startElastic(spec: object = {}) {
  const bed = createVirtualBed({ podIP });
  const leaders = createFakeLeaders();
  const start = () => bed.start({ createLeaders: leaders.create });
  const instance = start();
  bed.create(miniCluster({ ...elastic, ...spec }));
  await bed.clock.run(1000);
  const size = () => (bed.find(resources.jobs) as Job | undefined)?.spec?.completions;
  const pods = () => bed.all(resources.pods).length;
  const scaled = () => (bed.stories().get('mc') ?? []).filter((line) => line.startsWith('Scaled'));
  const pass = (seconds: number) => bed.clock.run(seconds * 1000);
  const scale = (to: number) =>
    bed.store.patch(collection, 'hpc', 'mc', { spec: { size: to } } as never, 'scale', 'kubectl');
  const decidedBy = () => bed.status()?.sizeDecidedBy;
  return { bed, leaders, instance, start, size, pods, scaled, pass, scale, decidedBy };
}
const collection = '/apis/flux-framework.org/v1alpha2/miniclusters';

describe('the size of a MiniCluster with spec.autoscaling', () => {
  it('grows at once, and shrinks after the window when the ranks are free; each change is an Event', async () => {
    const { bed, leaders, size, pods, scaled, pass } = await startElastic();
    leaders.report(demandOf(6, { reason: 'job ƒ2x needs 6 nodes', busy: 2 }));
    await pass(1);
    expect([size(), pods(), bed.status()?.size]).toEqual([6, 6, 6]);
    expect(bed.status()).toMatchObject({
      sizeDecidedBy: 'Demand',
      demand: { wanted: 6, reason: 'job ƒ2x needs 6 nodes' },
    });
    leaders.report(demandOf(1));
    await pass(59);
    expect([size(), leaders.asked.at(-1)]).toEqual([6, 8]);
    await pass(2);
    expect([size(), pods()]).toEqual([1, 1]);
    expect(leaders.asked).toEqual([8, 1, 8]);
    expect(scaled()).toEqual([
      'Scaled: 2 to 6: job ƒ2x needs 6 nodes',
      'Scaled: 6 to 1: for 60 s no more than 1 node is needed',
    ]);
    expect(
      bed
        .stories()
        .get('mc')
        ?.filter((line) => line.startsWith('Updated')),
    ).toEqual([]);
  });

  it('waits for the ranks that are busy, and takes the others back when the demand returns', async () => {
    const { leaders, size, pass } = await startElastic({
      size: 8,
      autoscaling: { stabilizationWindowSeconds: 10 },
    });
    leaders.report(demandOf(5, { busy: 5 }));
    await pass(12);
    expect([size(), leaders.asked]).toEqual([5, [8, 5, 8]]);
    leaders.report(demandOf(1, { busy: 5 }));
    await pass(30);
    expect([size(), leaders.asked]).toEqual([5, [8, 5, 8]]);
  });

  it('is asked for again by a controller that starts in the middle of a shrink, after a full window', async () => {
    const { leaders, instance, start, size, pass } = await startElastic({ size: 6 });
    leaders.report(demandOf(2));
    await pass(40);
    instance.kill();
    start();
    await pass(55);
    expect([size(), leaders.asked]).toEqual([6, [8, 8]]);
    await pass(10);
    expect(size()).toBe(2);
  });

  it('stays while the leader does not report', async () => {
    const { leaders, size, pass } = await startElastic({ size: 6 });
    leaders.report(demandOf(1));
    await pass(30);
    leaders.report(undefined);
    await pass(600);
    expect([size(), leaders.asked]).toEqual([6, [8]]);
  });

  it('is left to a client of the scale subresource until spec.size is changed otherwise', async () => {
    const { bed, leaders, size, scale, scaled, decidedBy, pass } = await startElastic();
    leaders.report(demandOf(2));
    await pass(1);
    expect(decidedBy()).toBe('Demand');
    scale(4);
    await pass(1);
    expect([size(), decidedBy()]).toEqual([4, 'Scale:kubectl']);
    leaders.report(demandOf(7));
    await pass(300);
    expect([size(), leaders.asked]).toEqual([4, [8]]);
    bed.patch(resources.miniClusters, 'mc', { spec: { size: 3 } });
    await pass(1);
    expect([size(), decidedBy()]).toEqual([7, 'Demand']);
    expect(scaled()).toEqual(['Scaled: 2 to 4: kubectl has scaled it', 'Scaled: 4 to 7: 7 nodes are wanted']);
  });

  it('is the one of spec.size without the field, and ranks that were drained are taken back', async () => {
    const { bed, leaders, size, decidedBy, pass } = await startElastic({ size: 6 });
    leaders.report(demandOf(3, { busy: 3 }));
    await pass(59);
    // Something runs there when the window is over.
    leaders.report(demandOf(3, { busy: 6 }));
    await pass(5);
    bed.patch(resources.miniClusters, 'mc', { spec: { autoscaling: null, size: 4 } });
    await pass(1);
    expect([size(), decidedBy(), leaders.asked.at(-1)]).toEqual([4, 'Spec', 8]);
    leaders.report(demandOf(8));
    await pass(300);
    expect(size()).toBe(4);
  });

  it('does not follow what cannot be: each job that can never run is told once', async () => {
    const { bed, leaders, instance, start, size, pass } = await startElastic();
    const unfit = [{ id: 'ƒ2x', why: 'it needs 9 nodes of at most 8' }];
    const told = () =>
      bed
        .stories()
        .get('mc')
        ?.filter((line) => line.startsWith('JobUnfit'));
    leaders.report(demandOf(1, { unfit, unfitCount: 1 }));
    await pass(1);
    expect(size()).toBe(2);
    expect(bed.status()?.demand).toEqual({ wanted: 1, idle: 0, unfit, unfitCount: 1 });
    leaders.report(undefined);
    await pass(1);
    leaders.report(demandOf(1, { unfit, unfitCount: 1 }));
    await pass(1);
    instance.kill();
    start();
    await pass(1);
    expect(told()).toEqual(['JobUnfit: Job ƒ2x can never run: it needs 9 nodes of at most 8']);
  });

  it('causes no request while nothing changes', async () => {
    const { leaders, instance, pass } = await startElastic();
    leaders.report(demandOf(4, { busy: 4 }));
    await pass(100);
    const before = instance.calls.length;
    await pass(100_000);
    expect(instance.calls.slice(before)).toEqual([]);
    expect(leaders.asked).toEqual([8]);
  });

  it('comes to the same when the controller is killed at any request while it grows and shrinks', async () => {
    /** Its requests and the sizes of the Job, when it is killed at the request `at` and started again. */
    const live = async (at: number) => {
      const bed = createVirtualBed({ podIP });
      const leaders = createFakeLeaders();
      const sizes: unknown[] = [];
      let [number, isStarted] = [0, false];
      const fault = () => (number++ === at ? 'last' : undefined);
      const instance = bed.start({ createLeaders: leaders.create, fault });
      const later = async (seconds: number) => {
        await bed.clock.run(seconds * 1000);
        if (number > at && !isStarted) bed.start({ createLeaders: leaders.create });
        isStarted = number > at;
        await bed.clock.run(1000);
        sizes.push((bed.find(resources.jobs) as Job | undefined)?.spec?.completions);
      };
      bed.create(miniCluster(elastic));
      await later(1);
      leaders.report(demandOf(6));
      await later(1);
      leaders.report(demandOf(3));
      await later(100);
      await later(100);
      return { calls: instance.calls.length, sizes, keep: leaders.asked.at(-1) };
    };
    const { calls, ...expected } = await live(Number.POSITIVE_INFINITY);
    expect(expected).toEqual({ sizes: [2, 6, 3, 3], keep: 8 });
    for (let at = 0; at < calls; at++) {
      const { sizes, keep } = await live(at);
      expect([sizes.at(-1), keep], `killed at request ${at}`).toEqual([3, 8]);
    }
  });

  it('is patched again where the API server has failed in between', async () => {
    const bed = createVirtualBed({ podIP });
    const leaders = createFakeLeaders();
    let failures = 0;
    const instance = bed.start({
      createLeaders: leaders.create,
      fault: ({ verb, resource }) =>
        verb === 'patch' && resource === resources.jobs && failures++ < 3 ? 'internal error' : undefined,
    });
    bed.create(miniCluster(elastic));
    await bed.clock.run(1000);
    leaders.report(demandOf(8));
    await bed.clock.run(10_000);
    expect(bed.find(resources.jobs)).toMatchObject({ spec: { completions: 8 } });
    expect(instance.calls.filter((call) => isWrite(call) && call.resource === resources.jobs).length).toBe(5);
  });
});
