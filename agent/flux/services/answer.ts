import * as z from 'zod/mini';
import { parseIdset } from '../../cluster/idset.ts';
import { Errno, FluxError } from '../errors.ts';

/** The client of all services. */
export type { FluxClient } from '../client.ts';

/** Reads a response by the schema of its topic. Throws a FluxError (EPROTO) where it does not match, as that of another version of Flux. */
export function readAnswer<Schema extends z.ZodMiniType>(
  schema: Schema,
  topic: string,
  answer: unknown,
): z.output<Schema> {
  const result = z.safeParse(schema, answer);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'the answer';
  throw new FluxError(Errno.protocol, {
    topic,
    text: `${where} is not what was expected: ${issue?.message}`,
  });
}

/** RFC 22. */
export const idset = z.pipe(
  z.string(),
  z.transform((text: string, context): number[] => {
    try {
      return parseIdset(text);
    } catch (error) {
      context.issues.push({ code: 'custom', message: (error as Error).message, input: text });
      return z.NEVER;
    }
  }),
);
