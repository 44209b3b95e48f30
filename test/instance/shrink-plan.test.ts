import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shrinkReason, stoppingReason } from '../../agent/flux/drain-reasons.ts';
import { shrinkPlan } from '../../agent/instance/shrink-plan.ts';

const status = (drain: Record<string, string>, { size = 6, exclude = [] as number[] } = {}) => ({
  R: {
    execution: {
      R_lite: [{ rank: Array.from({ length: size }, (_, rank) => rank), children: { core: [0] } }],
      nodelist: [],
    },
  },
  drain: Object.fromEntries(
    Object.entries(drain).map(([ranks, reason]) => [ranks, { timestamp: 1, reason }]),
  ),
  exclude,
});
const nothing = { drain: [], takeOver: [], undrain: [] };

describe('the plan for a size', () => {
  it.each<[string, number, Parameters<typeof status>, Partial<ReturnType<typeof shrinkPlan>>]>([
    ['drains the ranks from there on', 4, [{}], { drain: [4, 5] }],
    ['drains those that are not drained yet', 2, [{ '4-5': shrinkReason(4) }], { drain: [2, 3] }],
    ['takes back those below', 5, [{ '3-5': shrinkReason(3) }], { undrain: [3, 4] }],
    ['takes back all for the whole size', 6, [{ '1-5': shrinkReason(1) }], { undrain: [1, 2, 3, 4, 5] }],
    ['leaves a user’s drains, below and above', 4, [{ '1,5': 'a fan is broken', '2': '' }], { drain: [4] }],
    [
      'leaves a user’s drains when the size grows',
      6,
      [{ '4': 'mine', '5': shrinkReason(4) }],
      { undrain: [5] },
    ],
    ['leaves a stopping pod’s own drain below', 4, [{ '1': stoppingReason, '4-5': shrinkReason(4) }], {}],
    ['takes over that of a stopping pod above', 4, [{ '5': stoppingReason }], { drain: [4], takeOver: [5] }],
    ['leaves excluded ranks', 4, [{}, { exclude: [5] }], { drain: [4] }],
    ['has nothing to do for the size that there is', 4, [{ '4-5': shrinkReason(4) }], {}],
  ])('%s', (_, size, given, plan) => {
    expect(shrinkPlan(size, status(...given))).toEqual({ ...nothing, ...plan });
  });

  it('is done at once, whatever was drained before, and never touches a user’s drain', () => {
    const reason = fc.constantFrom('', 'mine', stoppingReason, shrinkReason(2), shrinkReason(5));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.dictionary(fc.integer({ min: 0, max: 7 }).map(String), reason),
        (size, drain) => {
          const plan = shrinkPlan(size, status(drain, { size: 8 }));
          const after: Record<string, string> = { ...drain };
          for (const rank of [...plan.drain, ...plan.takeOver]) after[rank] = shrinkReason(size);
          for (const rank of plan.undrain) delete after[rank];
          expect(shrinkPlan(size, status(after, { size: 8 }))).toEqual(nothing);
          for (let rank = size; rank < 8; rank++) expect(after[rank]).toBeDefined();
          for (const [rank, why] of Object.entries(drain))
            if (why === '' || why === 'mine') expect(after[rank]).toBe(why);
        },
      ),
    );
  });
});
