import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type NextSize,
  nextSize,
  type SizeInput,
  type SizeState,
} from '../../../controller/size/next-size.ts';

const windowMs = 60_000;
const limits = { min: 1, max: 8 };

/** One call: when, what is observed, and what follows. Milliseconds since the start. */
interface Row {
  readonly at: number;
  readonly given: Partial<SizeInput>;
  readonly gives: Partial<Omit<NextSize, 'state'>>;
}

const wanted = (size: number, reason?: string) => ({
  demand: { wanted: size, busy: 0, ...(reason !== undefined && { reason }) },
});

/** Plays rows one after the other; the size and what is observed stay until a row changes them. */
function play(rows: readonly Row[], start: Partial<SizeInput> = {}): void {
  let input: SizeInput = {
    size: 8,
    demand: { wanted: 1, busy: 0 },
    freed: undefined,
    leaving: false,
    limits,
    windowMs,
    owner: 'Demand',
    ...start,
  };
  let state: SizeState | undefined;
  for (const { at, given, gives } of rows) {
    input = { ...input, ...given };
    const next = nextSize(state, input, at);
    expect(next, `at ${at}`).toMatchObject(gives);
    state = next.state;
    input = { ...input, size: next.size };
  }
}

describe('the size', () => {
  it('grows at once to what is wanted, for the reason of the job', () =>
    play(
      [
        { at: 0, given: wanted(2), gives: { size: 2, keep: 8, again: undefined, reason: undefined } },
        {
          at: 1,
          given: wanted(6, 'job ƒ2x needs 6 nodes'),
          gives: { size: 6, reason: 'job ƒ2x needs 6 nodes' },
        },
        { at: 2, given: wanted(99), gives: { size: 8, reason: '8 nodes are wanted' } },
      ],
      { size: 2 },
    ));

  it('shrinks when a smaller one was enough for the window, and the leader has freed the ranks', () =>
    play([
      { at: 0, given: wanted(3), gives: { size: 8, keep: 8, again: windowMs } },
      { at: 59_999, given: {}, gives: { size: 8, keep: 8, again: 1 } },
      { at: 60_000, given: {}, gives: { size: 8, keep: 3, again: undefined } },
      { at: 61_000, given: {}, gives: { size: 8, keep: 3 } },
      {
        at: 62_000,
        given: { freed: 3 },
        gives: { size: 3, keep: 3, reason: 'for 60 s no more than 3 nodes are needed' },
      },
      { at: 62_100, given: { leaving: true }, gives: { size: 3, keep: 3 } },
      { at: 64_000, given: { leaving: false }, gives: { size: 3, keep: 8, again: undefined } },
    ]));

  it('counts the largest size that was needed within the window', () =>
    play([
      { at: 0, given: wanted(2), gives: { again: windowMs } },
      { at: 30_000, given: wanted(5), gives: { keep: 8, again: 30_000 } },
      { at: 40_000, given: wanted(2), gives: { keep: 8, again: 20_000 } },
      // What was there before the first report is out of the window, and 5 were needed until 40 s.
      { at: 60_000, given: {}, gives: { keep: 5, again: 40_000 } },
      { at: 61_000, given: { freed: 5 }, gives: { size: 5, keep: 5 } },
      { at: 100_000, given: {}, gives: { size: 5, keep: 2, again: undefined } },
    ]));

  it('never goes below a rank with a job, nor below the least or above the largest size', () =>
    play([
      { at: 0, given: { demand: { wanted: 1, busy: 6 }, limits: { min: 3, max: 8 } }, gives: { size: 8 } },
      { at: 60_000, given: {}, gives: { keep: 6 } },
      { at: 60_001, given: { freed: 6 }, gives: { size: 6 } },
      { at: 70_000, given: { demand: { wanted: 1, busy: 0 } }, gives: { size: 6, again: 60_000 } },
      { at: 130_000, given: {}, gives: { keep: 3 } },
      { at: 130_001, given: { freed: 3 }, gives: { size: 3 } },
      { at: 999_999, given: {}, gives: { size: 3, again: undefined } },
    ]));

  it('takes the ranks back when the demand returns before they have gone', () =>
    play([
      { at: 0, given: wanted(2), gives: {} },
      { at: 60_000, given: {}, gives: { keep: 2 } },
      { at: 61_000, given: wanted(4, 'job a needs 4 nodes'), gives: { size: 8, keep: 4, reason: undefined } },
      { at: 62_000, given: wanted(8), gives: { size: 8, keep: 8, again: undefined } },
      // The report of before says nothing of now.
      { at: 63_000, given: { ...wanted(2), freed: 2 }, gives: { size: 8, keep: 8, again: 60_000 } },
    ]));

  it('does not believe that ranks are free by a report from before they were taken back', () =>
    play([
      { at: 0, given: wanted(2), gives: {} },
      { at: 60_000, given: {}, gives: { keep: 2 } },
      { at: 61_000, given: { ...wanted(8), freed: 2 }, gives: { size: 8, keep: 8 } },
      { at: 61_001, given: wanted(2), gives: { keep: 8 } },
      { at: 121_001, given: {}, gives: { size: 8, keep: 2 } },
      { at: 121_002, given: {}, gives: { size: 8, keep: 2 } },
      { at: 121_003, given: { freed: undefined }, gives: { size: 8, keep: 2 } },
      { at: 121_004, given: { freed: 2 }, gives: { size: 2, keep: 2 } },
    ]));

  it('does not believe it either when the controller has just started, or the link is another one', () => {
    const again: Row[] = [
      { at: 0, given: { ...wanted(2), freed: 2 }, gives: { size: 8, keep: 8, again: windowMs } },
      { at: 60_000, given: {}, gives: { size: 8, keep: 2 } },
      { at: 60_001, given: { freed: undefined }, gives: { size: 8, keep: 2 } },
      { at: 60_002, given: { freed: 2 }, gives: { size: 2 } },
    ];
    play(again);
    play([
      { at: -90_000, given: wanted(2), gives: {} },
      { at: -30_000, given: {}, gives: { keep: 2 } },
      { at: -1, given: { demand: undefined, freed: undefined }, gives: { size: 8, keep: undefined } },
      ...again,
    ]);
  });

  it('stays as it is without a report, and the window begins anew with the next one', () =>
    play([
      { at: 0, given: wanted(2), gives: { again: windowMs } },
      {
        at: 59_000,
        given: { demand: undefined },
        gives: { size: 8, keep: undefined, again: undefined, reason: undefined },
      },
      { at: 70_000, given: wanted(2), gives: { size: 8, keep: 8, again: windowMs } },
    ]));

  it('waits with growing until the pods have gone that it has just given up, and takes no rank back before', () =>
    play([
      { at: 0, given: wanted(2), gives: {} },
      { at: 60_000, given: {}, gives: { keep: 2 } },
      { at: 60_001, given: { freed: 2 }, gives: { size: 2 } },
      { at: 60_100, given: { ...wanted(8), leaving: true }, gives: { size: 2, keep: 2, reason: undefined } },
      { at: 62_000, given: { leaving: false }, gives: { size: 8, keep: 8, reason: '8 nodes are wanted' } },
    ]));

  it('is left to who owns it, and drained ranks are taken back', () =>
    play([
      { at: 0, given: wanted(2), gives: {} },
      { at: 60_000, given: {}, gives: { keep: 2 } },
      {
        at: 60_001,
        given: { owner: 'Scale:kubectl', freed: 2 },
        gives: { size: 8, keep: 8, again: undefined, reason: undefined },
      },
      { at: 60_002, given: { owner: 'Spec', leaving: true }, gives: { size: 8, keep: 8 } },
      // Given back: a full window.
      { at: 70_000, given: { owner: 'Demand', leaving: false }, gives: { size: 8, again: windowMs } },
    ]));
});

describe('whatever happens, the size', () => {
  const aRow = fc.record({
    after: fc.integer({ min: 0, max: 40_000 }),
    demand: fc.option(
      fc.record({ wanted: fc.integer({ min: 0, max: 12 }), busy: fc.integer({ min: 0, max: 8 }) }),
      { nil: undefined },
    ),
    freed: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    leaving: fc.boolean(),
  });
  type Step = { readonly at: number; readonly input: SizeInput; readonly next: NextSize };

  const playRandom = (rows: readonly (typeof aRow extends fc.Arbitrary<infer T> ? T : never)[]): Step[] => {
    let [state, size, at]: [SizeState | undefined, number, number] = [undefined, 4, 0];
    return rows.map(({ after, ...given }) => {
      at += after;
      const input: SizeInput = { size, limits: { min: 2, max: 8 }, windowMs, owner: 'Demand', ...given };
      const next = nextSize(state, input, at);
      [state, size] = [next.state, next.size];
      return { at, input, next };
    });
  };
  const always = (holds: (step: Step, before: readonly Step[]) => void) =>
    fc.assert(
      fc.property(fc.array(aRow, { maxLength: 30 }), (rows) => {
        const steps = playRandom(rows);
        for (const [index, step] of steps.entries()) holds(step, steps.slice(0, index));
      }),
      { numRuns: 500 },
    );

  it('stays within its bounds, and shrinks only to what the leader was asked for and has freed', () =>
    always(({ input, next }, before) => {
      expect(next.size).toBeGreaterThanOrEqual(2);
      expect(next.size).toBeLessThanOrEqual(8);
      if (next.size >= input.size) return;
      expect(input.freed).toBeLessThanOrEqual(next.size);
      expect(before.at(-1)?.next.keep).toBe(next.size);
      expect(input.demand?.busy).toBeLessThanOrEqual(next.size);
    }));

  it('shrinks only when it was enough for the whole window', () =>
    always(({ at, input, next }, before) => {
      if (next.size >= input.size) return;
      const ends = [...before.slice(1).map((step) => step.at), at];
      for (const [index, { input: then }] of before.entries()) {
        if ((ends[index] ?? 0) <= at - windowMs) continue;
        expect(then.demand).toBeDefined();
        expect(Math.max(then.demand?.wanted ?? 0, then.demand?.busy ?? 0)).toBeLessThanOrEqual(next.size);
      }
    }));

  it('asks for nothing below a rank with a job, and remembers little', () =>
    always(({ input, next }) => {
      if (input.demand && next.keep !== undefined && !input.leaving)
        expect(next.keep).toBeGreaterThanOrEqual(Math.min(8, input.demand.busy));
      expect(next.state?.past.length ?? 0).toBeLessThanOrEqual(8);
    }));

  it('comes to rest: with one demand it goes one way, and nothing more is to be done', () =>
    fc.assert(
      fc.property(fc.array(aRow, { maxLength: 10 }), fc.integer({ min: 0, max: 12 }), (rows, size) => {
        const before = playRandom(rows).at(-1);
        let [state, current, at] = [before?.next.state, before?.next.size ?? 4, (before?.at ?? 0) + 1];
        let freed: number | undefined;
        const sizes: number[] = [current];
        for (let calls = 0; ; calls++) {
          expect(calls).toBeLessThan(40);
          const next = nextSize(
            state,
            {
              ...{ size: current, demand: { wanted: size, busy: 0 }, freed, leaving: false },
              ...{ limits: { min: 2, max: 8 }, windowMs, owner: 'Demand' },
            },
            at,
          );
          if (next.size !== current) sizes.push(next.size);
          const isFreed = next.keep !== undefined && next.keep < 8 ? next.keep : undefined;
          const rests = next.again === undefined && isFreed === freed && next.size === current;
          [state, current, freed] = [next.state, next.size, isFreed];
          if (rests) break;
          at += next.again ?? 1000;
        }
        expect(current).toBe(Math.min(8, Math.max(2, size)));
        // Down in steps, as needs leave the window; never down and up again.
        const turns = sizes.slice(1).map((each, index) => Math.sign(each - (sizes[index] ?? 0)));
        expect(new Set(turns).size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    ));
});
