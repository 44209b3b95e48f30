/**
 * Payloads by the conventions of RFC 3: JSON objects and strings end with a NUL. Job ids are whole numbers of 64 bits, more than a
 * JavaScript number can hold: beyond 2^53 they are read as bigint, and bigints are written as numbers.
 */
import { FluxProtocolError } from './errors.ts';

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** `JSON.rawJSON` and a reviver's third argument (ECMAScript proposal json-parse-with-source, in V8 since 11.4). */
const json = JSON as unknown as {
  rawJSON: (text: string) => unknown;
  parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => unknown;
};

export function encodeJson(value: JsonObject): Buffer {
  const text = JSON.stringify(value, (_, item) =>
    typeof item === 'bigint' ? json.rawJSON(String(item)) : item,
  );
  return Buffer.from(`${text}\0`);
}

/** A payload's JSON value; no payload is an empty object. Throws a FluxProtocolError where it is none. */
export function decodeJson(payload: Uint8Array | undefined): unknown {
  if (payload === undefined) return {};
  const text = decodeString(payload);
  try {
    // A reviver is slow, with a call for every value: only where a long number needs it.
    return /\d{16}/.test(text) ? json.parse(text, exactIntegers) : JSON.parse(text);
  } catch (cause) {
    throw new FluxProtocolError('a payload is not JSON', { cause });
  }
}

function exactIntegers(_: string, value: unknown, { source }: { source?: string }): unknown {
  const inexact = typeof value === 'number' && !Number.isSafeInteger(value);
  return inexact && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** A payload's text, up to its first NUL. */
export function decodeString(payload: Uint8Array): string {
  const end = payload.indexOf(0);
  return Buffer.from(payload.buffer, payload.byteOffset, end < 0 ? payload.length : end).toString();
}
