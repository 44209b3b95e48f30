/** What a parent announces to its children. Pods of one instance run one image, so that both ends have the same messages. */
import * as z from 'zod/mini';

const announcement = z.discriminatedUnion('kind', [
  /** The parent stops: another takes its place, or its children stop as well. */
  z.object({ kind: z.literal('stopping'), signal: z.string() }),
  /** The program has ended: the brokers are shut down, however long that takes, and the outcome follows. */
  z.object({ kind: z.literal('ending') }),
  /** How the instance ended: the exit code of the leader's program. */
  z.object({
    kind: z.literal('outcome'),
    code: z.int().check(z.minimum(0), z.maximum(255)),
    sentence: z.string(),
  }),
]);
export type Announcement = z.output<typeof announcement>;

export const parentLinkPath = '/parent-link';

/** Undefined for a message that is none. */
export function readAnnouncement(message: unknown): Announcement | undefined {
  const result = z.safeParse(announcement, message);
  return result.success ? result.data : undefined;
}
