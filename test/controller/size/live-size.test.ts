import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { indexLabel } from '../../../controller/render/reserved/names.ts';
import { createLiveSizes, type LiveMiniCluster } from '../../../controller/size/live-size.ts';
import { sizeOwner } from '../../../controller/size/size-owner.ts';
import { demandOf } from '../../support/kubernetes/fake-leaders.ts';

const start = Date.parse('2026-11-26T10:00:00Z');
const job = (completions: number, uid = 'u-1'): Job => ({
  metadata: { name: 'mc', uid },
  spec: { completions, template: {} },
});
const pod = (index: number, deletionTimestamp?: number, phase = 'Running'): Pod => ({
  metadata: {
    name: `mc-${index}-abcde`,
    labels: { [indexLabel]: String(index) },
    ...(deletionTimestamp !== undefined && {
      deletionTimestamp: new Date(deletionTimestamp).toISOString() as never,
    }),
  },
  status: { phase },
});
const live = (more: Partial<LiveMiniCluster>): LiveMiniCluster => ({
  ...{ job: job(2), pods: [pod(0), pod(1)], leader: { brokersOnline: 2, demand: demandOf(4) } },
  ...{ owner: 'Demand', followsDemand: true, limits: { min: 1, max: 8 }, windowMs: 60_000 },
  ...more,
});
const sizes = (elapsed = () => 0) => createLiveSizes({ monotonic: elapsed, now: () => start + elapsed() });

describe('the size of a live MiniCluster', () => {
  it.each<[string, Pod[], number]>([
    ['no pod of a higher rank is there', [pod(0), pod(1)], 4],
    ['the Job controller is still to delete one', [pod(0), pod(1), pod(2)], 2],
    ['one stops', [pod(0), pod(1), pod(5, start + 30_000)], 2],
    ['one should have stopped by now: its node does not answer', [pod(0), pod(1), pod(2, start - 1)], 4],
    ['one has ended, and is kept', [pod(0), pod(1), pod(2, undefined, 'Failed')], 4],
  ])('grows as the demand asks, unless a rank is still to go: %s', (_, pods, size) => {
    expect(sizes().next('mc', live({ pods }))).toMatchObject({ size, keep: size === 4 ? 8 : 2 });
  });

  it('is decided on again when a pod that stops has to be gone, whether that is seen or not', () => {
    const pods = [pod(0), pod(1), pod(2, start + 30_000), pod(3, start + 10_000)];
    expect(sizes().next('mc', live({ pods }))?.again).toBe(30_000);
  });

  it('of another Job begins with a window of its own', () => {
    let ms = 0;
    const { next } = sizes(() => ms);
    const leader = { brokersOnline: 8, demand: demandOf(1) };
    next('mc', live({ job: job(8), leader }));
    ms = 59_000;
    expect(next('mc', live({ job: job(8), leader }))).toMatchObject({ keep: 8, again: 1000 });
    expect(next('mc', live({ job: job(8, 'u-2'), leader }))).toMatchObject({ keep: 8, again: 60_000 });
    next('mc', undefined);
    expect(next('mc', live({ job: job(8, 'u-2'), leader }))).toMatchObject({ keep: 8, again: 60_000 });
  });

  it('stays while the link is broken, and with the next report all ranks are taken back', () => {
    let ms = 0;
    const { next } = sizes(() => ms);
    const leader = { brokersOnline: 8, demand: demandOf(1) };
    next('mc', live({ job: job(8), leader }));
    ms = 60_000;
    expect(next('mc', live({ job: job(8), leader }))).toMatchObject({ size: 8, keep: 1 });
    expect(next('mc', live({ job: job(8), leader: undefined }))).toMatchObject({ size: 8, keep: undefined });
    const freed = { ...leader, freed: 1 };
    expect(next('mc', live({ job: job(8), leader: freed }))).toMatchObject({
      size: 8,
      keep: 8,
      again: 60_000,
    });
  });

  it('is nothing to decide on without the field, once the leader has been told to take back all ranks', () => {
    let ms = 0;
    const { next } = sizes(() => ms);
    const leader = { brokersOnline: 8, demand: demandOf(1) };
    next('mc', live({ job: job(8), leader }));
    ms = 60_000;
    expect(next('mc', live({ job: job(8), leader }))?.keep).toBe(1);
    const off = live({ job: job(8), owner: 'Spec', followsDemand: false });
    expect(next('mc', { ...off, leader: undefined })).toMatchObject({ keep: 8, size: undefined });
    expect(next('mc', { ...off, leader })).toMatchObject({ keep: 8, size: undefined });
    expect(next('mc', { ...off, leader })).toBeUndefined();
  });
});

describe('who decides on the size', () => {
  const of = (managedFields: object[], followsDemand = true) =>
    sizeOwner(
      { apiVersion: 'v', kind: 'MiniCluster', metadata: { name: 'mc', managedFields } },
      followsDemand,
    );
  const size = { 'f:spec': { 'f:size': {} } };

  it.each([
    ['Demand', []],
    ['Demand', [{ manager: 'kubectl', operation: 'Update', fieldsV1: size }]],
    ['Demand', [{ manager: 'hpa', subresource: 'scale', fieldsV1: { 'f:spec': {} } }]],
    ['Demand', [{ manager: 'flux-pod', subresource: 'status', fieldsV1: { 'f:status': {} } }]],
    [
      'Scale:kube-controller-manager',
      [{ manager: 'kube-controller-manager', subresource: 'scale', fieldsV1: size }],
    ],
    ['Scale:unknown', [{ subresource: 'scale', fieldsV1: size }]],
  ])('is %s with the managedFields %j', (owner, managedFields) => {
    expect(of(managedFields)).toBe(owner);
    expect(of(managedFields, false)).toBe(owner === 'Demand' ? 'Spec' : owner);
  });
});
