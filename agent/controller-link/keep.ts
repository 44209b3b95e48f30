/**
 * What a controller asks of a leader. The request says all of what is wanted, and not what is to change: the last one of any controller
 * holds, and the same one again changes nothing.
 */
import * as z from 'zod/mini';

const keep = z.object({
  kind: z.literal('keep'),
  /** The size is to be this: the ranks from here on take no new jobs. The size of the instance, or more, keeps all. */
  size: z.int().check(z.minimum(1), z.maximum(2 ** 31 - 1)),
});
export type Keep = z.output<typeof keep>;

/** Undefined for a message of another kind, and for a request that cannot be read. */
export function readKeep(message: unknown): Keep | undefined {
  const result = z.safeParse(keep, message);
  return result.success ? result.data : undefined;
}
