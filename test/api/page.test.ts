import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../agent/api/page/environment.ts';

describe('the environment field of the page', () => {
  it('is a variable a line', () => {
    expect(readEnvironment('A=b\n\n  C=d=e \nEMPTY=\n')).toEqual({ A: 'b', C: 'd=e ', EMPTY: '' });
    expect(readEnvironment(' \n')).toEqual({});
  });

  it.each(['FOO', 'A=b\nFOO', ' = x'])('refuses a line without a name or a value: %j', (text) => {
    expect(() => readEnvironment(text)).toThrow(/^Environment: expected NAME=VALUE, not "(FOO|= x)"\.$/);
  });
});
