import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needOf } from '../../agent/demand/job-need.ts';
import { createJobTable, idOf, type JobRow } from '../../agent/demand/job-table.ts';
import { createShapes } from '../../agent/demand/shapes.ts';

const row: fc.Arbitrary<JobRow> = fc.record({
  shape: fc.integer({ min: 0, max: 0xff_ffff }),
  state: fc.integer({ min: 1, max: 255 }),
  priority: fc.integer({ min: 0, max: 0xffff_ffff }),
});
/** Ids of neighbours and of far away, few enough to be met again. */
const id = fc.oneof(
  fc.bigInt({ min: 0n, max: 40n }),
  fc.bigInt({ min: 0n, max: 40n }).map((n) => (n << 24n) | 0x3ff0_0000_0000n),
  fc.bigInt({ min: 2n ** 64n - 20n, max: 2n ** 64n - 1n }),
);

describe('the table of jobs', () => {
  it('has what a map has, whatever is set and deleted', () => {
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(id, row) },
      { weight: 2, arbitrary: fc.tuple(id, fc.constant(undefined)) },
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600, size: 'max' }), (changes) => {
        const table = createJobTable();
        const map = new Map<bigint, JobRow>();
        for (const [key, value] of changes) {
          if (value) table.set(key, value);
          else table.delete(key);
          if (value) map.set(key, value);
          else map.delete(key);
        }
        expect(table.size()).toBe(map.size);
        for (const [key] of changes) expect(table.get(key)).toEqual(map.get(key));
        const seen = new Map<bigint, JobRow>();
        table.forEach(
          (shape, state, priority, high, low) => void seen.set(idOf(high, low), { shape, state, priority }),
        );
        expect(seen).toEqual(map);
      }),
    );
  });

  it('grows with the jobs, and gives the room back', () => {
    const table = createJobTable();
    const ids = Array.from({ length: 5000 }, (_, n) => (BigInt(n) << 24n) + 7n);
    for (const one of ids) table.set(one, { shape: 1, state: 1, priority: Number(one >> 24n) });
    expect(ids.every((one) => table.get(one)?.priority === Number(one >> 24n))).toBe(true);
    for (const one of ids.slice(1)) table.delete(one);
    expect(table.size()).toBe(1);
    expect(table.get(7n)).toEqual({ shape: 1, state: 1, priority: 0 });
    expect(table.get(ids[1] ?? 0n)).toBeUndefined();
  });
});

describe('shapes', () => {
  const need = (nodes: number, constraint?: object) => ({ ...needOf({}), nodes, constraint });

  it('are kept once, and as long as a job has them', () => {
    const shapes = createShapes();
    const [one, other] = [shapes.hold(need(1)), shapes.hold(need(2))];
    expect(shapes.hold(need(1))).toBe(one);
    expect(other).not.toBe(one);
    expect(shapes.at(other)).toEqual(need(2));
    shapes.release(one);
    expect(shapes.at(shapes.hold(need(1)))).toEqual(need(1));
    shapes.release(other);
    expect(shapes.hold(need(3))).toBe(other);
    expect(shapes.at(other)).toEqual(need(3));
  });

  it('beyond the room for them count without constraint, then as one node', () => {
    const shapes = createShapes(4);
    for (const nodes of [1, 2]) shapes.hold(need(nodes, { ranks: [String(nodes)] }));
    const third = shapes.at(shapes.hold(need(3, { ranks: ['3'] })));
    expect(third).toEqual(need(3, { ranks: ['3'] }));
    const fourth = shapes.hold(need(4, { ranks: ['4'] }));
    expect(shapes.at(fourth)).toMatchObject({ nodes: 1, constraint: { unknown: [] } });
    shapes.release(fourth);
    expect(shapes.at(shapes.hold(need(2, { ranks: ['2'] })))).toEqual(need(2, { ranks: ['2'] }));
  });

  it('without their constraints are shared', () => {
    const shapes = createShapes(3);
    const unknown = shapes.hold(need(1, { unknown: [] }));
    shapes.hold(need(9));
    expect(shapes.hold(need(1, { ranks: ['4'] }))).toBe(unknown);
  });
});
