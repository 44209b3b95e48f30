/**
 * What a leader's agent reports to controllers. Controller and pods may be of different versions: unknown fields are ignored, and so are
 * messages of an unknown kind.
 */
import * as z from 'zod/mini';

/** The status of a MiniCluster has int32. */
const count = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));
const report = z.object({
  kind: z.literal('report'),
  /** Of the group broker.online. */
  brokersOnline: count,
  /** Hosts that the configuration names. */
  size: count,
  /** By the states that Flux gives a name in common (RFC 21, "Virtual States"); absent while the broker does not count jobs. */
  jobs: z.optional(z.object({ pending: count, running: count, inactive: count })),
});
export type Report = z.output<typeof report>;

/** What a report says that changes. */
export type InstanceFacts = Pick<Report, 'brokersOnline' | 'jobs'>;

export const controllerLinkPath = '/controller-link';

/** Undefined for a message of another kind; `false` for a report that cannot be read. */
export function readReport(message: { readonly kind: string }): Report | undefined | false {
  if (message.kind !== 'report') return undefined;
  const result = z.safeParse(report, message);
  return result.success ? result.data : false;
}
