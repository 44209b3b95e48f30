import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJobId, jobId, parseJobId } from '../../agent/flux/job-id.ts';
import { realFlux } from '../support/project/flux-pod.ts';

/** The examples of RFC 19, and the edges. */
const table: [bigint, string][] = [
  [0n, 'f1'],
  [1n, 'f2'],
  [57n, 'fz'],
  [58n, 'f21'],
  [1234n, 'fNH'],
  [3363n, 'fzz'],
  [3364n, 'f211'],
  [65535n, 'fLUv'],
  [2n ** 32n - 1n, 'f7YXq9G'],
  [6731191091817518n, 'fuZZybuNNy'],
  [2n ** 64n - 2n, 'fjpXCZedGfVP'],
  [2n ** 64n - 1n, 'fjpXCZedGfVQ'],
];

describe('a job id', () => {
  it.each(table)('%i is written and read as %s', (id, text) => {
    expect(formatJobId(id)).toBe(text);
    expect(parseJobId(text)).toBe(id);
    expect(parseJobId(text.replace('f', 'ƒ'))).toBe(id);
    expect(parseJobId(String(id))).toBe(id);
    expect(parseJobId(`0x${id.toString(16)}`)).toBe(id);
  });

  it.each([
    ['0x17e9fb8df16c2e', 6731191091817518n],
    ['0xEDAF97D000000', 4181414752813056n],
    ['f111', 0n],
    [' f2\n', 1n],
  ])('%s is read as %i', (text, id) => {
    expect(parseJobId(text)).toBe(id);
  });

  it.each([
    '',
    'f',
    'ƒ',
    'f0',
    'fO',
    'fI',
    'fl',
    'fjpXCZedGfVR',
    'fzzzzzzzzzzzz',
    'f1111111111111',
    '18446744073709551616',
    '0x10000000000000000',
    '0x',
    '-1',
    '1.5',
    '1e3',
    'F2',
    'nonsense',
  ])('is not read from %j', (text) => {
    expect(parseJobId(text)).toBeUndefined();
  });

  it('comes back from its text, whichever it is', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
        expect(parseJobId(formatJobId(id))).toBe(id);
      }),
    );
  });

  it('in a payload is a number or a bigint, and nothing else', () => {
    expect(jobId.parse(5)).toBe(5n);
    expect(jobId.parse(2n ** 60n)).toBe(2n ** 60n);
    for (const other of [1.5, '5', null, {}]) expect(jobId.safeParse(other).success).toBe(false);
  });

  const flux = realFlux();
  if (!flux)
    console.warn('SKIPPED job ids as the real Flux writes them: there is no flux on PATH or in /opt/flux');
  it.skipIf(!flux)('is written as the real Flux writes it', () => {
    const ids = [...table.map(([id]) => id), ...Array.from({ length: 40 }, (_, bit) => 3n ** BigInt(bit))];
    const text = execFileSync(flux?.path ?? '', ['job', 'id', '--to=f58', ...ids.map(String)], {
      encoding: 'utf8',
      env: { ...process.env, FLUX_F58_FORCE_ASCII: '1' },
    });
    expect(text.trim().split('\n')).toEqual(ids.map(formatJobId));
  });
});
