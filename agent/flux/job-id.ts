/** Job ids, RFC 19: whole numbers of 64 bits; people see them in F58, an `f` (or `ƒ`) before base 58. */
import * as z from 'zod/mini';

export type JobId = bigint;

const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const most = 2n ** 64n - 1n;

/** `f2qx7SvB`: F58 in ASCII. */
export function formatJobId(id: JobId): string {
  let text = '';
  for (let rest = id; rest > 0n || text === ''; rest /= 58n) text = `${digits[Number(rest % 58n)]}${text}`;
  return `f${text}`;
}

/** Reads F58, decimal or hexadecimal (0x...); undefined where it is none of them. RFC 19 has white space around it ignored. */
export function parseJobId(text: string): JobId | undefined {
  const word = text.trim();
  const f58 = /^[fƒ]([1-9A-HJ-NP-Za-km-z]{1,12})$/.exec(word)?.[1];
  const id = f58 === undefined ? parseNumber(word) : parseF58(f58);
  return id !== undefined && id <= most ? id : undefined;
}

const parseNumber = (text: string): bigint | undefined =>
  /^(\d{1,20}|0x[\da-f]{1,16})$/i.test(text) ? BigInt(text) : undefined;

const parseF58 = (text: string): bigint =>
  [...text].reduce((id, digit) => id * 58n + BigInt(digits.indexOf(digit)), 0n);

/** A job id in a payload: a number, or a bigint where that would be inexact. */
export const jobId = z.pipe(
  z.union([z.int(), z.bigint()]),
  z.transform((id: number | bigint): JobId => BigInt(id)),
);
