/**
 * The journal of the job manager: the events of all active jobs, present and future (flux-core src/modules/job-manager/journal.c). The submit
 * event brings the jobspec without its environment, the alloc event brings R without its key `scheduling` (job.c). The journal has no event
 * for a queue that is stopped or started (queue.c), and none for housekeeping, which begins at `free` (event.c, housekeeping.c). After a restart
 * of the instance the pending jobs have `flux-restart` and one more `priority` in it (restart.c).
 */
import * as z from 'zod/mini';
import type { CallOptions } from '../../channel.ts';
import { type JobId, jobId } from '../../job-id.ts';
import { type FluxClient, readAnswer } from '../answer.ts';

const journalEvent = z.object({
  /** Seconds since 1970. */
  timestamp: z.number(),
  name: z.string(),
  context: z.optional(z.record(z.string(), z.unknown())),
});
export type JournalEvent = z.output<typeof journalEvent>;

/** FLUX_JOBID_ANY as a signed number: it ends the backlog. */
const anyJob = -1;

const journalAnswer = z.object({
  id: z.union([z.literal(anyJob), jobId]),
  events: z.array(journalEvent),
  /** RFC 14. */
  jobspec: z.optional(z.unknown()),
  /** RFC 20. */
  R: z.optional(z.unknown()),
});

export interface JournalEntry {
  readonly id: JobId;
  /** All events of the job so far in an entry of the backlog, else one. */
  readonly events: readonly JournalEvent[];
  readonly jobspec?: unknown;
  readonly R?: unknown;
}

export interface JournalOptions extends CallOptions {
  /** The events that are wanted; all unless given. An entry of the backlog comes also where none of them is in it. */
  readonly allow?: readonly string[];
}

/** The entries of the active jobs, then `present`, then events as they happen. Ends when the job manager is unloaded. */
export async function* watchJournal(
  client: FluxClient,
  { allow, ...options }: JournalOptions = {},
): AsyncGenerator<JournalEntry | 'present', void> {
  const topic = 'job-manager.events-journal';
  const payload = {
    full: false,
    ...(allow && { allow: Object.fromEntries(allow.map((name) => [name, 1])) }),
  };
  const stream = client.stream(topic, payload, { ...options, nodeid: 0, cancelTopic: `${topic}-cancel` });
  for await (const answer of stream) {
    const { id, ...entry } = readAnswer(journalAnswer, topic, answer);
    if (id === anyJob) yield 'present';
    else yield { id, ...entry };
  }
}
