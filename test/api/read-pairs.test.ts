import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mostPairs, readPairs } from '../../agent/api/routes/read-pairs.ts';
import { splitWords } from '../../agent/shell-words.ts';
import { startApi } from '../support/agent/fake-api.ts';
import { cpuTime } from '../support/virtual/cpu-time.ts';

describe('pairs', () => {
  it.each([
    [`{'A': "it's", 'B': 'x'}`, { A: "it's", B: 'x' }],
    [`{'A': 'C:\\\\x', "B": 'it\\'s'}`, { A: 'C:\\x', B: "it's" }],
    ['{"A": "b"}', { A: 'b' }],
    ['{}', {}],
    ['a=1,b=2=3', { a: '1', b: '2=3' }],
    [{ A: 1 }, { A: '1' }],
    [undefined, {}],
  ])('are read: %j', (given, pairs) => {
    expect(readPairs(given)).toEqual(pairs);
  });

  it('are read as Python prints them', () => {
    const printed = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string(), { maxKeys: 5, noNullPrototype: true }), (pairs) => {
        const items = Object.entries(pairs).map(([name, value]) => `${printed(name)}: ${printed(value)}`);
        expect(readPairs(`{${items.join(', ')}}`)).toEqual(pairs);
      }),
    );
  });

  it.each([
    [`{'A': 'b`, /^is neither JSON nor a Python dict/],
    [`{${'x'.repeat(mostPairs)}`, /^has 65537 characters, and may have 65536/],
  ])('that are none, or are too many, are refused', (text, why) => {
    expect(readPairs(text)).toMatch(why);
  });

  it('that are refused are named in the answer', async () => {
    using api = await startApi();
    const body = { command: 'x', option_flags: `{${"\\'".repeat(90_000)}`, envars: "{'" };
    const { status, json } = await api.ask('POST', '/v1/jobs/submit', { body });
    expect(status).toBe(400);
    expect(json.Errors).toEqual([
      'Parameter option_flags has 180001 characters, and may have 65536',
      'Parameter envars is neither JSON nor a Python dict of texts',
    ]);
  });
});

/** Texts that make a scanner begin at every character and find no end. */
const hostile: readonly (readonly [string, (length: number) => string])[] = [
  ['escaped quotes', (length) => `{${"\\'".repeat(length / 2)}`],
  ['both quotes, escaped', (length) => `{'"${`\\'\\"`.repeat(length / 4)}`],
  ['quotes', (length) => `{${`'"`.repeat(length / 2)}`],
  ['backslashes', (length) => `{'${'\\'.repeat(length)}`],
  ['blanks', (length) => `{' ${' '.repeat(length)}`],
];

describe.each([
  ['pairs', readPairs],
  ['the words of a command', splitWords],
] as const)('%s of 64 times the length', (_, read) => {
  it.each(hostile)('take in the order of 64 times as long, not of 4,096 times: %s', (__, textOf) => {
    const cpuOf = (turns: number, length: number) =>
      cpuTime(() => {
        for (let turn = 0; turn < turns; turn++) read(textOf(length));
      }, 5);
    // As many characters in all: 1 where the time is linear, 64 where it is quadratic.
    expect(cpuOf(20, 64_000) / cpuOf(20 * 64, 1000)).toBeLessThan(1000 / 64);
  });
});
