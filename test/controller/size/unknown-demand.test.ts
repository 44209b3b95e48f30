import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { createUnknownDemands, type FollowsDemand } from '../../../controller/size/unknown-demand.ts';
import { demandOf } from '../../support/kubernetes/fake-leaders.ts';

const pod = (uid: string): Pod => ({ metadata: { name: 'mc-0', uid } });
const silent: FollowsDemand = {
  owner: 'Demand',
  leaderPod: pod('p-1'),
  leader: undefined,
  wasUnknown: false,
};

function begin() {
  let now = 0;
  const demands = createUnknownDemands(() => now);
  const at = (seconds: number, live: Partial<FollowsDemand> = {}) => {
    now = seconds * 1000;
    return demands.next('hpc/mc', { ...silent, ...live });
  };
  return { demands, at };
}
const known = { why: undefined, again: undefined };

describe('a demand that is not reported', () => {
  it('is unknown after a minute, which is waited for', () => {
    const { at } = begin();
    expect(at(5)).toEqual({ why: undefined, again: 60_000 });
    expect(at(64)).toEqual({ why: undefined, again: 1000 });
    expect(at(65).why).toMatch(/^No report of the leader arrives.*port 8051/);
    expect(at(65, { leader: { brokersOnline: 2 } }).why).toMatch(/^The leader reports no demand/);
  });

  it.each<[string, Partial<FollowsDemand>]>([
    ['a demand', { leader: { brokersOnline: 2, demand: demandOf(1) } }],
    ['a leader that is not ready', { leaderPod: undefined }],
    ['another owner of the size', { owner: 'Scale:kubectl' }],
  ])('counts from the end of %s', (_, between) => {
    const { at } = begin();
    at(0);
    expect(at(59, between)).toEqual(known);
    expect(at(61, { ...between, wasUnknown: true })).toEqual(known);
    expect(at(62)).toEqual({ why: undefined, again: 60_000 });
  });

  it('counts anew for another leader, and for another MiniCluster of the name', () => {
    const { demands, at } = begin();
    at(0);
    expect(at(59, { leaderPod: pod('p-2') }).again).toBe(60_000);
    demands.next('hpc/mc', undefined);
    expect(at(100, { leaderPod: pod('p-2') }).again).toBe(60_000);
  });

  it('is not unknown while the first report is pending, but where the status says so already', () => {
    const { at } = begin();
    expect(at(0, { leader: 'pending' })).toEqual(known);
    expect(at(1000, { leader: 'pending' })).toEqual(known);
    expect(at(1000, { leader: 'pending', wasUnknown: true }).why).toBeDefined();
    expect(at(1001).again).toBe(60_000);
    expect(at(1001, { wasUnknown: true }).why).toBeDefined();
  });
});
