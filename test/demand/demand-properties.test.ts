import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DemandQueue, demandOf, type PendingGroup, type RunningJob } from '../../agent/demand/demand.ts';
import { needOf } from '../../agent/demand/job-need.ts';
import type { QueueNode } from '../../agent/demand/queue-nodes.ts';

const [cores, gpus, maxSize] = [4, 2, 12];
const node = fc.record({
  online: fc.boolean(),
  excluded: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  closed: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
const nodes: fc.Arbitrary<QueueNode[]> = fc
  .array(node, { minLength: maxSize, maxLength: maxSize })
  .map((all) =>
    all.map((parts, rank) => ({
      rank,
      host: `mc-${rank}`,
      properties: new Set<string>(),
      cores,
      gpus,
      ...parts,
    })),
  );
const need = fc
  .record({
    nodes: fc.integer({ min: 0, max: 5 }),
    slots: fc.integer({ min: 1, max: 3 }),
    cores: fc.integer({ min: 1, max: cores }),
    gpus: fc.integer({ min: 0, max: 1 }),
    exclusive: fc.boolean(),
  })
  // As needOf reads it: exclusive slots have nodes.
  .map((parts) => ({ ...needOf({}), ...parts, exclusive: parts.exclusive && parts.nodes > 0 }));
const pending: fc.Arbitrary<PendingGroup[]> = fc
  .array(
    fc.record({ need, count: fc.integer({ min: 1, max: 4 }), priority: fc.integer({ min: 1, max: 3 }) }),
    { maxLength: 6 },
  )
  .map((all) => all.map((group, place) => ({ ...group, first: BigInt(place + 1) })));
/** Of whole nodes, none of them twice. */
const running: fc.Arbitrary<RunningJob[]> = fc
  .uniqueArray(fc.integer({ min: 0, max: maxSize - 1 }), { maxLength: 6 })
  .chain((ranks) =>
    fc.tuple(fc.constant(ranks), fc.array(fc.constantFrom(0, 30, 100), { minLength: 6, maxLength: 6 })),
  )
  .map(([ranks, ends]) =>
    ranks.map((rank, place) => ({ parts: [{ ranks: [rank], cores, gpus }], expiration: ends[place] ?? 0 })),
  );

const queueOf = (groups: readonly PendingGroup[], jobs: readonly RunningJob[]): DemandQueue => ({
  active: groups.length + jobs.length,
  pending: groups,
  needs: groups.map((group) => group.need),
  jobsWith: () => ({ count: 0, oldest: [] }),
  running: jobs,
  housekeeping: [],
  isStopped: () => false,
});
const wanted = (queue: DemandQueue, all: readonly QueueNode[], limit: object = {}) =>
  demandOf(queue, all, { maxSize, podSeconds: 60, ...limit }, 0);

describe('the demand of any queue', () => {
  it('leaves every job that runs its nodes, and is from 1 to the hosts of the instance', () => {
    fc.assert(
      fc.property(pending, running, nodes, (groups, jobs, all) => {
        const found = wanted(queueOf(groups, jobs), all);
        const highest = Math.max(-1, ...jobs.flatMap(({ parts }) => parts.flatMap(({ ranks }) => ranks)));
        expect(found.busy).toBe(highest + 1);
        expect(found.wanted).toBeGreaterThanOrEqual(Math.max(1, found.busy));
        expect(found.wanted).toBeLessThanOrEqual(maxSize);
      }),
    );
  });

  it('does not depend on which brokers are online, but for those that are idle', () => {
    fc.assert(
      fc.property(pending, running, nodes, (groups, jobs, all) => {
        const queue = queueOf(groups, jobs);
        const { idle: _, ...found } = wanted(queue, all);
        const { idle: none, ...offline } = wanted(
          queue,
          all.map((one) => ({ ...one, online: false })),
        );
        expect(offline).toEqual(found);
        expect(none).toBe(0);
      }),
    );
  });

  it('is enough: within so many nodes the same jobs find room, and one node fewer is not', () => {
    fc.assert(
      fc.property(pending, running, nodes, (groups, jobs, all) => {
        const queue = queueOf(groups, jobs);
        const found = wanted(queue, all);
        // What does not fit into fewer nodes would be unfit there.
        const fewer = (size: number) =>
          all.map((one) => ({ ...one, closed: one.closed || one.rank >= size }));
        expect(wanted(queue, fewer(found.wanted)).wanted).toBe(found.wanted);
        if (found.wanted > Math.max(1, found.busy))
          expect(wanted(queue, fewer(found.wanted - 1)).wanted).toBeLessThan(found.wanted);
      }),
    );
  });

  it('is not less with another job at the end of the queue, nor with a scheduler that passes jobs over', () => {
    fc.assert(
      fc.property(pending, need, running, nodes, (groups, last, jobs, all) => {
        const before = wanted(queueOf(groups, jobs), all).wanted;
        const more = [...groups, { need: last, count: 1, priority: 1, first: 100n }];
        expect(wanted(queueOf(more, jobs), all).wanted).toBeGreaterThanOrEqual(before);
        expect(wanted(queueOf(groups, jobs), all, { inOrder: true }).wanted).toBeLessThanOrEqual(before);
      }),
    );
  });
});
