import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostlist, formatIndexedHosts, parseHostlist } from '../../agent/cluster/hostlist.ts';
import { cpuTime, growth } from '../support/virtual/cpu-time.ts';

const MANY = 100_000;

describe('parseHostlist', () => {
  it.each([
    // RFC 29, test vectors
    ['', []],
    ['foox,fooy,fooz', ['foox', 'fooy', 'fooz']],
    ['[1-3,5-6]', ['1', '2', '3', '5', '6']],
    ['foo[1-5]', ['foo1', 'foo2', 'foo3', 'foo4', 'foo5']],
    ['foo[0-4]-eth2', ['foo0-eth2', 'foo1-eth2', 'foo2-eth2', 'foo3-eth2', 'foo4-eth2']],
    ['foo1,foo1,foo1', ['foo1', 'foo1', 'foo1']],
    ['[00-02]', ['00', '01', '02']],
    ['[00-2]', ['00', '01', '02']],
    ['foo[1,1,2,1]', ['foo1', 'foo1', 'foo2', 'foo1']],
    // ours
    ['mc-[0-3,7,9-11]', ['mc-0', 'mc-1', 'mc-2', 'mc-3', 'mc-7', 'mc-9', 'mc-10', 'mc-11']],
    ['foo[008-012]', ['foo008', 'foo009', 'foo010', 'foo011', 'foo012']],
    ['mc-0', ['mc-0']],
    ['mc-[2]', ['mc-2']],
    ['mc-[0-1].svc.ns.svc.cluster.local', ['mc-0.svc.ns.svc.cluster.local', 'mc-1.svc.ns.svc.cluster.local']],
    ['r[0-1]n[0-2]', ['r0n0', 'r0n1', 'r0n2', 'r1n0', 'r1n1', 'r1n2']],
    ['[0-1][0-1][5]x', ['005x', '015x', '105x', '115x']],
    ['foo[12345678901234567890]', ['foo12345678901234567890']],
    // as flux-core does it, not as the RFC says: zeros are padded range by range
    ['foo[005,4,11-13]', ['foo005', 'foo4', 'foo11', 'foo12', 'foo13']],
  ])('expands "%s"', (text, hosts) => {
    expect(parseHostlist(text)).toEqual(hosts);
  });

  it.each(['a b', 'a\tb', 'a,b', 'a\nb\n', ' a, b ', ',,a,,b,', 'a\r\nb\r\n'])(
    'takes %j for two hosts',
    (text) => {
      expect(parseHostlist(text)).toEqual(['a', 'b']);
    },
  );

  it.each([
    ['x[', 'bracket is not closed (at character 2)'],
    ['x[0-1', 'bracket is not closed (at character 2)'],
    ['a,x]', 'bracket was not opened (at character 4)'],
    ['x[1]]', 'bracket was not opened (at character 5)'],
    ['x[]', 'expected a number or a range, not "" (at character 3)'],
    ['x[1,]', 'expected a number or a range, not "" (at character 5)'],
    ['x[1-]', 'expected a number or a range, not "1-" (at character 3)'],
    ['x[-1]', 'expected a number or a range, not "-1" (at character 3)'],
    ['x[1-2-3]', 'expected a number or a range, not "1-2-3" (at character 3)'],
    ['x[1, 2]', 'expected a number or a range, not " 2" (at character 5)'],
    ['x[a]', 'expected a number or a range, not "a" (at character 3)'],
    ['x[[1]]', 'brackets do not nest (at character 3)'],
    ['x[5-3]', 'range "5-3" is reversed (at character 3)'],
    ['y[0-1],x[0-99999999999]', 'the list has more than 1048576 hosts (at character 10)'],
    ['é[0-1]', 'a host name is printable ASCII (at character 1)'],
    ['x\u0000', 'a host name is printable ASCII (at character 2)'],
  ])('refuses %j, saying what is wrong and where', (text, reason) => {
    expect(() => parseHostlist(text)).toThrow(
      new SyntaxError(`Cannot parse hostlist ${JSON.stringify(text)}: ${reason}`),
    );
  });

  it.each([
    ['one range', 'x[0-1048576]', 'more than 1048576 hosts'],
    ['many ranges', 'x[0-600000,0-600000]', 'more than 1048576 hosts'],
    ['many expressions', 'y[0-9],x[0-1048570]', 'more than 1048576 hosts'],
    ['one host more in a range', 'y,x[0-1048575]', 'more than 1048576 hosts (at character 5)'],
    ['one host more in a product', 'y,x[0-1023][0-1023]', 'more than 1048576 hosts (at character 3)'],
    ['several brackets', 'x[0-2047]y[0-2047]', 'more than 1048576 hosts'],
    ['very many brackets', '[0-9]'.repeat(100), 'more than 1048576 hosts'],
    ['a range beyond the numbers', 'x[9007199254740992-9007199254740993]', 'has too large a number'],
    ['a range of endless digits', `x[${'9'.repeat(400)}-${'9'.repeat(400)}]`, 'has too large a number'],
    ['padding', `x[${'0'.repeat(300)}-9]`, 'name has more than 255 characters'],
    [
      'long text around a bracket',
      `${'x'.repeat(250)}[0-9]${'y'.repeat(5)}`,
      'name has more than 255 characters',
    ],
  ])('is no memory bomb by %s', (_, text, reason) => {
    expect(() => parseHostlist(text)).toThrow(reason);
    expect(cpuTime(() => attempt(text), 1)).toBeLessThan(3 * largest());
  });

  it('takes as many hosts as its message names', () => {
    expect(parseHostlist('x[0-1048575]')).toHaveLength(2 ** 20);
  });

  it('repeats only the start of a long input in its message', () => {
    expect(() => parseHostlist(`${'a,'.repeat(5000)}x[`)).toThrow(
      /^Cannot parse hostlist "(a,){40}…": bracket/,
    );
  });
});

describe('formatHostlist', () => {
  it.each([
    [[], ''],
    [['mc-0'], 'mc-0'],
    [['mc-0', 'mc-1', 'mc-2', 'mc-3', 'mc-7', 'mc-9', 'mc-10'], 'mc-[0-3,7,9-10]'],
    [['foo008', 'foo009', 'foo010'], 'foo[008-010]'],
    [['foo8', 'foo9', 'foo10', 'foo11'], 'foo[8-11]'],
    [['foo98', 'foo99', 'foo100'], 'foo[98-100]'],
    [['foo09', 'foo010'], 'foo[09,010]'],
    [['foo1', 'foo01', 'foo1'], 'foo[1,01,1]'],
    [['foo2', 'foo1'], 'foo[2,1]'],
    [['foo1', 'foo1'], 'foo[1,1]'],
    [['1', '2', '3'], '[1-3]'],
    [['a', 'a', 'b1', 'a'], 'a,a,b1,a'],
    [['a1', 'b1', 'b2', 'a2'], 'a1,b[1-2],a2'],
    [['foo', 'foo0', 'foo1'], 'foo,foo[0-1]'],
    [['r0n0', 'r0n1', 'r1n0', 'r1n1'], 'r0n[0-1],r1n[0-1]'],
    [['mc-0.svc.ns', 'mc-1.svc.ns'], 'mc-0.svc.ns,mc-1.svc.ns'],
  ])('prints %j as "%s"', (hosts, text) => {
    expect(formatHostlist(hosts)).toBe(text);
  });

  it('leaves numbers that JavaScript cannot count in as text', () => {
    const hosts = ['x9007199254740992', 'x9007199254740993'];
    expect(formatHostlist(hosts)).toBe(hosts.join(','));
  });

  it.each(['', 'a b', 'a,b', 'a[1]', 'a\n', 'é', 'x'.repeat(256)])('refuses the name %j', (host) => {
    expect(() => formatHostlist(['ok', host])).toThrow(/^Cannot format host "/);
  });

  it('is undone by parsing', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-c]?[0-9]{1,3}$/),
      fc.stringMatching(/^[!-+.-Z\\^-~-]{1,12}$/),
      fc.stringMatching(/^mc-[0-9]{1,20}(\.svc)?$/),
    );
    const run = fc
      .record({
        prefix: fc.constantFrom('', 'mc-', 'x1y'),
        from: fc.nat(1200),
        count: fc.nat(12),
        width: fc.nat(4),
      })
      .map(({ prefix, from, count, width }) =>
        Array.from({ length: count }, (_, i) => `${prefix}${String(from + i).padStart(width, '0')}`),
      );
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.array(name, { maxLength: 4 }), run), { maxLength: 8 }), (parts) => {
        const hosts = parts.flat();
        expect(parseHostlist(formatHostlist(hosts))).toEqual(hosts);
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatIndexedHosts', () => {
  it.each([
    ['mc-', 1, '', 'mc-0'],
    ['mc-', 2, '', 'mc-[0-1]'],
    ['mc-', 4, '.svc.ns', 'mc-[0-3].svc.ns'],
    ['mc-', 1, '.svc.ns', 'mc-0.svc.ns'],
    ['mc-', 2 ** 20, '', 'mc-[0-1048575]'],
  ])('prints the hosts %s0 and on, %i of them, ending in "%s", as "%s"', (prefix, count, suffix, text) => {
    expect(formatIndexedHosts(prefix, count, suffix)).toBe(text);
  });

  it('names the same hosts one by one as all at once', () => {
    for (const count of [1, 2, 10, 11, 100, 1001]) {
      const hosts = Array.from({ length: count }, (_, index) => `mc-${index}.svc`);
      expect(parseHostlist(formatIndexedHosts('mc-', count, '.svc'))).toEqual(hosts);
      const bare = Array.from({ length: count }, (_, index) => `mc-${index}`);
      expect(formatIndexedHosts('mc-', count)).toBe(formatHostlist(bare));
    }
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 20 + 1])('refuses a count of %d', (count) => {
    expect(() => formatIndexedHosts('mc-', count)).toThrow(RangeError);
  });

  it.each([
    ['mc[', ''],
    ['mc-', ' x'],
    ['a,b', ''],
  ])('refuses the prefix %j with the suffix %j', (prefix, suffix) => {
    expect(() => formatIndexedHosts(prefix, 2, suffix)).toThrow(SyntaxError);
  });
});

describe('a list of 100,000 hosts', () => {
  it.each([
    ['in one range', (i: number) => `mc-${i}`],
    ['with no two that compress', (i: number) => `mc-${i}.svc.ns`],
    ['in one bracket of as many ids', (i: number) => `mc-${2 * i}`],
    ['each with its own prefix', (i: number) => `r${i}n${i % 3}`],
  ])('%s formats and parses in time that grows with its length', (_, nameOf) => {
    const hosts = Array.from({ length: MANY }, (_, i) => nameOf(i));
    const inAndOut = (some: readonly string[]) => parseHostlist(formatHostlist(some));
    expect(inAndOut(hosts)).toEqual(hosts);
    expect(growth(hosts, inAndOut)).toBeLessThan(50);
  });

  it('that comes out of two brackets parses in time that grows with its length', () => {
    const hosts = parseHostlist('r[0-999]n[00-99].svc');
    const inPieces = () => {
      for (let piece = 0; piece < 100; piece++) parseHostlist('r[0-9]n[00-99].svc');
    };
    expect(cpuTime(() => parseHostlist('r[0-999]n[00-99].svc'))).toBeLessThan(50 * cpuTime(inPieces));
    expect([hosts.length, hosts[0], hosts[100], hosts.at(-1)]).toEqual([
      MANY,
      'r0n00.svc',
      'r1n00.svc',
      'r999n99.svc',
    ]);
  });
});

/** The CPU time for the longest list that is taken. */
function largest(): number {
  taken ??= cpuTime(() => parseHostlist('x[0-1048575]'), 1);
  return taken;
}
let taken: number | undefined;

function attempt(text: string): unknown {
  try {
    return parseHostlist(text);
  } catch (error) {
    return error;
  }
}
