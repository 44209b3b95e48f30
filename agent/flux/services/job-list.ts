/** Jobs in the job-list service of rank 0 (flux-core src/modules/job-list; RFC 43 for constraints). */
import * as z from 'zod/mini';
import type { CallOptions, RpcOptions } from '../channel.ts';
import { jobId } from '../job-id.ts';
import type { JsonObject } from '../payload.ts';
import { type FluxClient, readAnswer } from './answer.ts';

/** RFC 21, in the order of a job's life, with the bits of flux-core src/common/libjob/job.h. */
export const jobStates = { depend: 2, priority: 4, sched: 8, run: 16, cleanup: 32, inactive: 64 } as const;
export type JobState = keyof typeof jobStates;
export const jobResults = { completed: 1, failed: 2, canceled: 4, timeout: 8 } as const;
export type JobResult = keyof typeof jobResults;

const nameOf =
  <Name extends string>(bits: Readonly<Record<Name, number>>) =>
  (bit: number): Name | undefined =>
    (Object.keys(bits) as Name[]).find((name) => bits[name] === bit);

const time = z.optional(z.number());

const job = z.object({
  id: jobId,
  state: z.optional(z.pipe(z.int(), z.transform(nameOf(jobStates)))),
  result: z.optional(z.pipe(z.int(), z.transform(nameOf(jobResults)))),
  userid: z.optional(z.int()),
  urgency: z.optional(z.int()),
  priority: z.optional(z.number()),
  name: z.optional(z.string()),
  cwd: z.optional(z.string()),
  queue: z.optional(z.string()),
  ntasks: z.optional(z.int()),
  ncores: z.optional(z.int()),
  nnodes: z.optional(z.int()),
  ranks: z.optional(z.string()),
  nodelist: z.optional(z.string()),
  /** Seconds of its time limit, 0 for none. */
  duration: time,
  /** Seconds since 1970 at which the job entered a state. */
  t_submit: time,
  t_depend: time,
  t_priority: time,
  t_sched: time,
  t_run: time,
  t_cleanup: time,
  t_inactive: time,
  expiration: time,
  success: z.optional(z.boolean()),
  /** Of waitpid(2). */
  waitstatus: z.optional(z.int()),
  exception_occurred: z.optional(z.boolean()),
  exception_type: z.optional(z.string()),
  exception_severity: z.optional(z.int()),
  exception_note: z.optional(z.string()),
  annotations: z.optional(z.record(z.string(), z.unknown())),
  dependencies: z.optional(z.array(z.string())),
});
export type Job = z.output<typeof job>;

const listAnswer = z.object({ jobs: z.array(job) });
/** Of a list with a few attributes: to look for all others in each of 20,000 jobs takes as long as all else that is done with them. */
const partialAnswer = (attributes: readonly string[]) => {
  const mask = Object.fromEntries(['id', ...attributes].map((name) => [name, true]));
  return z.object({ jobs: z.array(z.pick(job, mask as { id: true })) });
};
const oneAnswer = z.object({ job });

/** All attributes of a job. */
const allAttributes = ['all'];

export interface JobQuery {
  /** Jobs at most, the newest first; 0 for all. */
  readonly maxEntries?: number;
  /** RFC 43, such as `{ states: ['running'] }`. */
  readonly constraint?: JsonObject;
  /** Only jobs that became inactive after this time, in seconds since 1970. */
  readonly since?: number;
  readonly attributes?: readonly string[];
}

export async function listJobs(
  client: FluxClient,
  query: JobQuery = {},
  options?: CallOptions,
): Promise<Job[]> {
  const { maxEntries = 1000, constraint, since = 0, attributes = allAttributes } = query;
  const topic = 'job-list.list';
  const payload = { max_entries: maxEntries, attrs: attributes, since, ...(constraint && { constraint }) };
  const schema = query.attributes ? partialAnswer(query.attributes) : listAnswer;
  return readAnswer(schema, topic, await client.rpc(topic, payload, { ...options, nodeid: 0 })).jobs;
}

/** One job. Throws a FluxError (ENOENT) where there is none of this id. */
export async function getJob(client: FluxClient, id: bigint, options?: CallOptions): Promise<Job> {
  const topic = 'job-list.list-id';
  return readAnswer(
    oneAnswer,
    topic,
    await client.rpc(topic, { id, attrs: allAttributes }, { ...options, nodeid: 0 }),
  ).job;
}

const statsAnswer = z.object({
  job_states: z.object({
    depend: z.int(),
    priority: z.int(),
    sched: z.int(),
    run: z.int(),
    cleanup: z.int(),
    inactive: z.int(),
    total: z.int(),
  }),
  successful: z.int(),
  failed: z.int(),
  canceled: z.int(),
  timeout: z.int(),
});
export type JobStats = z.output<typeof statsAnswer>;

const statsTopic = 'job-list.job-stats';

/** How many jobs are in each state, and how the inactive ones ended. */
export const getJobStats = async (client: FluxClient, options?: RpcOptions): Promise<JobStats> =>
  readAnswer(statsAnswer, statsTopic, await client.rpc(statsTopic, {}, { ...options, nodeid: 0 }));

/**
 * The same now and when it changes, at most five times a second however many jobs there are (flux-core src/modules/job-list/stats.c,
 * BATCH_DELAY; since 0.55). The service has no method that ends such a stream: it ends with the connection.
 */
export async function* watchJobStats(
  client: FluxClient,
  options?: CallOptions,
): AsyncGenerator<JobStats, void> {
  for await (const answer of client.stream(statsTopic, {}, { ...options, nodeid: 0 }))
    yield readAnswer(statsAnswer, statsTopic, answer);
}
