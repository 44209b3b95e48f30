import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableLines } from '../agent/printable.ts';

describe('a printable text', () => {
  it.each([
    ['a line end', 'a\nb\r\nc', 'a\\nb\\r\\nc'],
    ['an escape sequence', '\x1b[31mred\x1b]0;title\x07', '\\u001b[31mred\\u001b]0;title\\u0007'],
    ['C1 and DEL', '\x9b31m\x85\x7f', '\\u009b31m\\u0085\\u007f'],
    ['separators of lines', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['a change of direction', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
    ['NUL and tabs', '\0\t', '\\u0000\\t'],
  ])('shows %s', (_, text, shown) => expect(printable(text)).toBe(shown));

  it('is the same text where there is nothing to show', () => {
    expect(printable('mc-0 läuft: ✓ 日本 └─ 😀 "\\"')).toBe('mc-0 läuft: ✓ 日本 └─ 😀 "\\"');
  });

  it('is the same JSON', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
        const again = JSON.stringify(JSON.parse(json));
        expect(JSON.parse(printable(again))).toEqual(JSON.parse(again));
      }),
    );
  });

  it('keeps its lines where they are its own', () =>
    expect(printableLines('a\nb\x1b\n')).toBe('a\nb\\u001b\n'));
});
