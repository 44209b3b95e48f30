import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIdset, parseCpuList, parseIdset } from '../../agent/cluster/idset.ts';
import { growth } from '../support/virtual/cpu-time.ts';

const id = fc.oneof(fc.nat(40), fc.nat(2 ** 31 - 1));

describe('parseIdset', () => {
  it.each([
    ['', []],
    ['[]', []],
    ['0', [0]],
    ['1,2,3,5,6,42', [1, 2, 3, 5, 6, 42]],
    ['1-3,5-6,42', [1, 2, 3, 5, 6, 42]],
    ['[1-3,5-6,42]', [1, 2, 3, 5, 6, 42]],
    ['2147483647', [2147483647]],
  ])('reads "%s"', (text, ids) => {
    expect(parseIdset(text)).toEqual(ids);
  });

  it.each([
    ['01', 'id "01" has a leading zero'],
    ['0-01', 'id "01" has a leading zero'],
    ['00', 'id "00" has a leading zero'],
    ['2,1', '"1" is out of order'],
    ['1,1', '"1" is out of order'],
    ['1-3,3-4', '"3-4" is out of order'],
    ['3-1', 'range "3-1" does not ascend'],
    ['3-3', 'range "3-3" does not ascend'],
    ['1,,2', 'an id is missing'],
    [',', 'an id is missing'],
    ['1-', 'expected an id or a range, not "1-"'],
    ['-1', 'expected an id or a range, not "-1"'],
    ['+1', 'expected an id or a range, not "+1"'],
    ['1 ', 'expected an id or a range, not "1 "'],
    ['0x1', 'expected an id or a range, not "0x1"'],
    ['1-2-3', 'expected an id or a range, not "1-2-3"'],
    ['[1', 'expected an id or a range, not "[1"'],
    ['1]', 'expected an id or a range, not "1]"'],
    ['[[1]]', 'expected an id or a range, not "[1]"'],
    ['2147483648', 'id "2147483648" is over 2147483647'],
    ['4294967296', 'id "4294967296" is over 2147483647'],
    ['0-2147483647', 'it has more than 1048576 ids'],
    ['0-600000,700000-1300000', 'it has more than 1048576 ids'],
  ])('refuses %j, saying why', (text, reason) => {
    expect(() => parseIdset(text)).toThrow(
      new SyntaxError(`Cannot parse idset ${JSON.stringify(text)}: ${reason}`),
    );
  });
});

describe('parseCpuList', () => {
  it.each([
    ['0-3,8\n', [0, 1, 2, 3, 8]],
    ['0\n', [0]],
    ['\n', []],
    ['', []],
  ])('reads what Linux prints: %j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });

  it('refuses a mask', () => {
    expect(() => parseCpuList('ff,00000001\n')).toThrow('Cannot parse idset "ff,00000001": expected an id');
  });
});

describe('formatIdset', () => {
  it.each([
    [[], ''],
    [[7], '7'],
    [[0, 1], '0-1'],
    [[0, 1, 2, 3, 7], '0-3,7'],
    [[7, 3, 1, 2, 0, 3], '0-3,7'],
    [[2, 10, 1], '1-2,10'],
  ])('prints %j as "%s"', (ids, text) => {
    expect(formatIdset(ids)).toBe(text);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('refuses the id %d', (bad) => {
    expect(() => formatIdset([0, bad, 1])).toThrow(RangeError);
  });

  it('is undone by parsing, with and without brackets', () => {
    fc.assert(
      fc.property(fc.array(id), (ids) => {
        const sorted = [...new Set(ids)].sort((a, b) => a - b);
        expect(parseIdset(formatIdset(ids))).toEqual(sorted);
        expect(parseIdset(`[${formatIdset(new Set(ids))}]`)).toEqual(sorted);
      }),
    );
  });
});

describe('a set of 100,000 ids', () => {
  it.each([
    ['in one range', (i: number) => i],
    ['with no two in a row', (i: number) => 2 * i],
  ])('%s formats and parses in time that grows with its length', (_, idOf) => {
    const ids = Array.from({ length: 100_000 }, (_, i) => idOf(i));
    const inAndOut = (some: readonly number[]) => parseIdset(formatIdset(some));
    expect(inAndOut(ids)).toEqual(ids);
    expect(growth(ids, inAndOut)).toBeLessThan(50);
  });
});
