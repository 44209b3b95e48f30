/**
 * What a leader's agent reports to controllers. Controller and pods may be of different versions: unknown fields are ignored, and so are
 * messages of an unknown kind.
 */
import * as z from 'zod/mini';

/** The status of a MiniCluster has int32. */
const count = z.int().check(z.minimum(0), z.maximum(2 ** 31 - 1));
/** Reason and why: what is longer, the leader cuts. A line has to hold a whole report (../link/protocol.ts). */
const sentence = z.string().check(z.maxLength(160));
const demand = z.object({
  /** Brokers, from rank 0, with which every job that runs keeps its nodes and all that can run now could run at once; 1 to the size. */
  wanted: count,
  /** The job that decides; absent where nothing waits for nodes. */
  reason: z.optional(sentence),
  /** 1 + the highest rank with a job that runs or is cleaned up after; 0 where there is none. */
  busy: count,
  /** Brokers online without a job. */
  idle: count,
  /** Jobs that are not inactive, held ones too. */
  active: count,
  /** Some of the jobs that can never run, however many brokers are online. */
  unfit: z.array(z.object({ id: z.string().check(z.maxLength(20)), why: sentence })).check(z.maxLength(4)),
  unfitCount: count,
});
const report = z.object({
  kind: z.literal('report'),
  /** Of the group broker.online. */
  brokersOnline: count,
  /** Hosts that the configuration names. */
  size: count,
  /** By the states that Flux gives a name in common (RFC 21, "Virtual States"); absent while the broker does not count jobs. */
  jobs: z.optional(z.object({ pending: count, running: count, inactive: count })),
  /** Absent where the size of the instance does not change, and while the queue is not known. */
  demand: z.optional(demand),
  /** The ranks from here on take no new jobs, as a controller has asked (keep.ts), and no job is there; absent while it is not so. */
  freed: z.optional(count),
});
export type Report = z.output<typeof report>;

/** What a report says that changes. */
export type InstanceFacts = Pick<Report, 'brokersOnline' | 'jobs' | 'demand' | 'freed'>;

export const controllerLinkPath = '/controller-link';

/** Undefined for a message of another kind; `false` for a report that cannot be read. */
export function readReport(message: { readonly kind: string }): Report | undefined | false {
  if (message.kind !== 'report') return undefined;
  const result = z.safeParse(report, message);
  return result.success ? result.data : false;
}
