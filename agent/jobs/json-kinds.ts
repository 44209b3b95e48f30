/** Kinds of value in JSON and in queries. Each error completes a sentence. */
import * as z from 'zod/mini';

export const described = <Schema extends z.ZodMiniType>(schema: Schema, what: string): Schema =>
  schema.check(z.describe(what)) as Schema;
export const optional = <Schema extends z.ZodMiniType>(schema: Schema, what: string) =>
  described(z.optional(schema), what);
const mostCount = 1_048_576;
const wholeNumber = (least: number, most: number): string =>
  `expected a whole number from ${least}${most === mostCount ? '' : ` to ${most}`}`;
export const count = (least: number, most = mostCount) => {
  const error = wholeNumber(least, most);
  return z.int({ error }).check(z.minimum(least, { error }), z.maximum(most, { error }));
};
export const text = (most: number) => {
  const error = `expected text of 1 to ${most} characters`;
  return z.string({ error }).check(z.minLength(1, { error }), z.maxLength(most, { error }));
};
/** Query parameters are text. */
export const number = (least: number, most: number) => {
  const digits = z.string().check(z.regex(/^\d{1,9}$/, { error: wholeNumber(least, most) }));
  return z.pipe(digits, z.pipe(z.transform(Number), count(least, most)));
};
