import type { z } from 'zod/mini';
import * as core from 'zod/mini';
import { Errno, FluxError } from '../errors.ts';

/** What the services need of a client. */
export type { FluxClient } from '../client.ts';

/** Reads a response by the schema of its topic. Throws a FluxError (EPROTO) where a Flux of another version answers otherwise. */
export function readAnswer<Schema extends z.ZodMiniType>(
  schema: Schema,
  topic: string,
  answer: unknown,
): z.output<Schema> {
  const result = core.safeParse(schema, answer);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'the answer';
  throw new FluxError(Errno.protocol, {
    topic,
    text: `${where} is not what was expected: ${issue?.message}`,
  });
}
