import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FluxProtocolError } from '../../agent/flux/errors.ts';
import { decodeJson, decodeString, encodeJson, type JsonObject } from '../../agent/flux/payload.ts';

const greatest = 2n ** 64n - 1n;

describe('a JSON payload', () => {
  it('ends with a NUL', () => {
    expect(encodeJson({ name: 'rank' }).toString()).toBe('{"name":"rank"}\0');
  });

  it.each<[string, string, unknown]>([
    ['an object', '{"a":1}\0', { a: 1 }],
    ['an object without NUL', '{"a":1}', { a: 1 }],
    ['what stands behind the NUL', '{"a":1}\0{"a":2}\0', { a: 1 }],
    ['a NUL inside a string, which is escaped', '{"a":"\\u0000"}\0', { a: '\0' }],
    ['the greatest exact number', '{"id":9007199254740991}\0', { id: 9007199254740991 }],
    ['the next one', '{"id":9007199254740993}\0', { id: 9007199254740993n }],
    ['the greatest job id', `{"id":${greatest}}\0`, { id: greatest }],
    ['a negative one', '{"id":-9223372036854775808}\0', { id: -(2n ** 63n) }],
    ['a time, whose digits after the point may go', '{"t":1700000000.1234567}\0', { t: 1700000000.1234567 }],
    ['an exponent', '{"t":1e300, "long": 1000000000000000000000.5}\0', { t: 1e300, long: 1e21 }],
    ['digits in a string', '{"id":"18446744073709551615"}\0', { id: '18446744073709551615' }],
  ])('is read: %s', (_, text, value) => {
    expect(decodeJson(Buffer.from(text))).toEqual(value);
  });

  it('that is not there is an empty object', () => {
    expect(decodeJson(undefined)).toEqual({});
  });

  it.each(['', '\0', 'No such file or directory\0', '{"a":1', '{"a":12345678901234567890', '\xff\xfe'])(
    'is not read from %j',
    (text) => {
      expect(() => decodeJson(Buffer.from(text, 'latin1'))).toThrow(FluxProtocolError);
      expect(() => decodeJson(Buffer.from(text, 'latin1'))).toThrow('a payload is not JSON');
    },
  );

  it('brings any job id and any JSON back as it went', () => {
    const id = fc.bigInt({ min: 0n, max: greatest });
    const value = fc.jsonValue({ noUnicodeString: false });
    fc.assert(
      fc.property(id, value, (number, other) => {
        const given = { id: number, nested: [{ id: number }], other } as JsonObject;
        // Small ids come back as numbers; -0 has no JSON of its own.
        const exact = number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number;
        const plain = JSON.parse(JSON.stringify(other), (_, item) => (Object.is(item, -0) ? 0 : item));
        expect(normalised(decodeJson(encodeJson(given)))).toEqual(
          normalised({ id: exact, nested: [{ id: exact }], other: plain }),
        );
      }),
    );
  });

  it('is read from a view into a larger buffer', () => {
    const larger = Buffer.from('xx{"a":1}\0yy');
    expect(decodeJson(larger.subarray(2, 10))).toEqual({ a: 1 });
    expect(decodeJson(new Uint8Array(larger.subarray(2, 10)))).toEqual({ a: 1 });
  });
});

/** Whole numbers that are too large to be exact are bigint after a payload's way, and numbers after JSON.parse. */
const normalised = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item)));

describe('a string payload', () => {
  it.each([
    ['no service\0', 'no service'],
    ['no NUL', 'no NUL'],
    ['\0', ''],
    ['', ''],
    ['ƒuZZybuNNy\0rest', 'ƒuZZybuNNy'],
  ])('%j says %j', (given, text) => {
    expect(decodeString(Buffer.from(given))).toBe(text);
  });
});
