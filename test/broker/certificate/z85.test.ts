import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeZ85, encodeZ85 } from '../../../agent/broker/certificate/z85.ts';

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));

describe('Z85', () => {
  it.each([
    ['the test case of RFC 32', '864fd26fb559f75b', 'HelloWorld'],
    ['no bytes', '', ''],
    ['the least word', '00000000', '00000'],
    ['the greatest word', 'ffffffff', '%nSc0'],
    [
      "the server's public key in zmq_curve(7)",
      '54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652',
      'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7',
    ],
  ])('writes and reads %s', (_, hex, text) => {
    expect(encodeZ85(bytesOf(hex))).toBe(text);
    expect(decodeZ85(text)).toEqual(bytesOf(hex));
  });

  it('gives back any bytes, five characters for four', () => {
    const words = fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 16 });
    fc.assert(
      fc.property(words, fc.nat(3), (parts, before) => {
        const bytes = Buffer.concat(parts);
        // A view into a larger buffer, as Node's pooled buffers are.
        const view = Buffer.concat([Buffer.alloc(before), bytes]).subarray(before);
        const text = encodeZ85(view);
        expect(text).toHaveLength((bytes.length / 4) * 5);
        expect(decodeZ85(text)).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it('takes any text for what only its own encoding says, or for none', () => {
    const character = fc.oneof(fc.constantFrom(...alphabet), fc.constantFrom('"', ' ', '\\', 'é', '😀'));
    const text = fc.array(character, { maxLength: 10 }).map((characters) => characters.join(''));
    fc.assert(
      fc.property(text, (given) => {
        const bytes = decodeZ85(given);
        expect(bytes && encodeZ85(bytes)).toBe(bytes && given);
      }),
    );
  });

  it.each([1, 2, 3, 5, 31, 33])('refuses to write %i bytes', (length) => {
    expect(() => encodeZ85(new Uint8Array(length))).toThrow(
      new RangeError(`Cannot encode ${length} bytes in Z85: not a multiple of 4`),
    );
  });

  it.each([
    ['a length that is no multiple of five', 'Hello1'],
    ['a character outside the alphabet', 'Hell"'],
    ['white space', 'Hell '],
    ['a character beyond ASCII', 'Hellö'],
    ['a character of two code units', 'Hel😀'],
    ['a group just beyond 32 bits', '%nSc1'],
    ['the greatest group', '#####'],
    ['one bad group among good ones', 'HelloWorld#####'],
  ])('takes no text with %s', (_, text) => {
    expect(decodeZ85(text)).toBeUndefined();
  });
});
