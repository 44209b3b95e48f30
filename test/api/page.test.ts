import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../agent/api/page/environment.ts';
import { elapsed } from '../../agent/api/page/format.ts';
import { closerOffset } from '../../agent/api/page/leader-clock.ts';
import { isRunning, runTimeText } from '../../agent/api/page/run-time.ts';

describe('the environment field of the page', () => {
  it('is a variable a line', () => {
    expect(readEnvironment('A=b\n\n  C=d=e \nEMPTY=\n')).toEqual({ A: 'b', C: 'd=e ', EMPTY: '' });
    expect(readEnvironment(' \n')).toEqual({});
  });

  it.each(['FOO', 'A=b\nFOO', ' = x'])('refuses a line without a name or a value: %j', (text) => {
    expect(() => readEnvironment(text)).toThrow(/^Environment: expected NAME=VALUE, not "(FOO|= x)"\.$/);
  });
});

describe('times on the page', () => {
  it("of a running job are counted from its start by the leader's clock, whatever `runtime` was when it was asked", () => {
    const running = { t_run: 1000, runtime: 0.4 };
    expect([1000.2, 1007.9, 1125].map((now) => runTimeText(running, now))).toEqual([
      '0 s',
      '7 s',
      '2 min 5 s',
    ]);
    expect(isRunning(running)).toBe(true);
  });

  it('of a job that has ended, or not begun, stand still', () => {
    const ended = { t_run: 1000, t_cleanup: 1003.5, runtime: 3.5 };
    expect([1004, 2000].map((now) => runTimeText(ended, now))).toEqual(['3.50 s', '3.50 s']);
    expect([isRunning(ended), isRunning({})]).toEqual([false, false]);
    expect(runTimeText({}, 5)).toBe('');
  });

  it.each([
    [-3, '0 s'],
    [59.9, '59 s'],
    [3600, '1 h'],
    [7384, '2 h 3 min'],
    [180_000, '2 d 2 h'],
  ])('%d seconds are %s', (seconds, text) => expect(elapsed(seconds)).toBe(text));

  it('take the best of what the leader said of its clock, and begin anew where a clock was set', () => {
    // An exact sample, then the Date header, which has whole seconds and was 0.7 s old.
    const offsets = [-300_500, -300_000, -300_700].reduce<number | undefined>(closerOffset, undefined);
    expect(offsets).toBe(-300_000);
    expect(closerOffset(-300_000, 20)).toBe(20);
    expect(closerOffset(20, -300_000)).toBe(-300_000);
  });
});
