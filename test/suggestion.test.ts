import { describe, expect, it } from 'vitest';
import { didYouMean } from '../agent/suggestion.ts';

const verbs = ['run', 'attach', 'probe', 'submit', 'jobs', 'logs', 'status'];

describe('the suggestion for a misspelt name', () => {
  it.each([
    ['sumbit', '; did you mean submit?'],
    ['frob', '; did you mean probe?'],
    ['job', '; did you mean jobs?'],
    ['stat', '; did you mean status?'],
    ['statu', '; did you mean status?'],
    ['kubernetes', ''],
    ['', ''],
    ['-', ''],
    ['zz', ''],
  ])('for %j is %j', (written, suggestion) => expect(didYouMean(written, verbs)).toBe(suggestion));
});
