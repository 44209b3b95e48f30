import { describe, expect, it } from 'vitest';
import { admits } from '../../agent/demand/constraint.ts';
import { cpuTime } from '../support/virtual/cpu-time.ts';

const nodes = [0, 1, 2, 3].map((rank) => ({
  rank,
  host: `mc-${rank}`,
  properties: new Set([...(rank >= 2 ? ['big'] : []), ...(rank === 3 ? ['gpu'] : [])]),
}));
const admitted = (constraint: unknown) => nodes.filter(admits(constraint)).map(({ rank }) => rank);
const all = [0, 1, 2, 3];

describe('a constraint', () => {
  it.each<[object | undefined, number[]]>([
    [undefined, all],
    [{ properties: ['big'] }, [2, 3]],
    [{ properties: ['big', 'gpu'] }, [3]],
    [{ properties: ['^big'] }, [0, 1]],
    [{ properties: ['big', '^gpu'] }, [2]],
    [{ properties: ['other'] }, []],
    [{ properties: [] }, all],
    [{ hostlist: ['mc-[1-2]'] }, [1, 2]],
    [{ hostlist: ['mc-0', 'mc-3'] }, [0, 3]],
    [{ ranks: ['0-1'] }, [0, 1]],
    [{ ranks: ['7'] }, []],
    [{ and: [{ properties: ['big'] }, { ranks: ['0-2'] }] }, [2]],
    [{ or: [{ properties: ['gpu'] }, { ranks: ['0'] }] }, [0, 3]],
    [{ not: [{ properties: ['big'] }] }, [0, 1]],
    [{ and: [{ or: [{ ranks: ['0'] }, { ranks: ['2'] }] }, { not: [{ hostlist: ['mc-0'] }] }] }, [2]],
    [{ and: [] }, all],
    [{ or: [] }, []],
  ])('%j of RFC 31 admits the ranks %j', (constraint, ranks) => {
    expect(admitted(constraint)).toEqual(ranks);
  });

  it.each<[string, unknown, number[]]>([
    ['an operator that is unknown', { magic: ['x'] }, all],
    ['its negation', { not: [{ magic: ['x'] }] }, all],
    ['one beside a known operator', { and: [{ magic: [] }, { ranks: ['1'] }] }, [1]],
    ['one as an alternative', { or: [{ magic: [] }, { ranks: ['1'] }] }, all],
    ['a list that cannot be read', { ranks: ['1-'] }, all],
    ['a host list that cannot be read', { hostlist: ['mc-[0'] }, all],
    ['values that are no list', { properties: 'big' }, all],
    ['two operators', { ranks: ['0'], properties: ['big'] }, all],
    ['no object', 'big', all],
    ['a property that is no text', { properties: [1] }, all],
  ])('with %s may admit any node that it does not rule out', (_, constraint, ranks) => {
    expect(admitted(constraint)).toEqual(ranks);
  });

  it.each<[string, unknown]>([
    ['ranks', { ranks: ['1-4096', '9999'] }],
    ['hosts', { hostlist: ['mc-[1-4096]', 'x'] }],
    ['hosts in two brackets', { hostlist: ['mc-[0-99][0-99]'] }],
    ['ranks and hosts together', { and: [{ ranks: ['0-2048'] }, { hostlist: ['x[0-2048]', 'mc-0'] }] }],
  ])('that names more than 4,096 %s may admit any node', (_, constraint) => {
    expect(admitted(constraint)).toEqual(all);
  });

  it('with as many ranks as that is read', () => {
    expect(admitted({ ranks: ['2-4097'] })).toEqual([2, 3]);
    expect(admitted({ hostlist: ['mc-[2-4097]'] })).toEqual([2, 3]);
  });

  it('takes the same time however often it names a million ranks or hosts', () => {
    const lists = (count: number) => [
      ...[{ ranks: Array(count).fill('0-1048575') }, { hostlist: Array(count).fill('x[0-1048575]') }],
      { or: Array(count).fill({ ranks: ['0-4095'] }) },
      { or: Array(count).fill({ hostlist: ['x[0-4095][0-9]'] }) },
    ];
    const read = (count: number) => lists(count).map(admitted);
    expect(read(30)).toEqual(lists(30).map(() => all));
    const ofFew = cpuTime(() => read(2));
    expect(cpuTime(() => read(30))).toBeLessThan(5 * ofFew);
  });

  it('of any depth is read without end', () => {
    let constraint: object = { ranks: ['1'] };
    for (let depth = 0; depth < 10_000; depth++) constraint = { and: [constraint] };
    expect(admitted(constraint)).toEqual(all);
  });
});
