/** Operations on jobs and queues (flux-core src/modules/job-manager). */
import * as z from 'zod/mini';
import type { CallOptions, RpcOptions } from '../channel.ts';
import type { JobId } from '../job-id.ts';
import { type FluxClient, idset, readAnswer } from './answer.ts';

/** Raises an exception (RFC 21); severity 0 ends the job. */
export async function raiseException(
  client: FluxClient,
  id: JobId,
  { type, severity, note }: { type: string; severity: number; note?: string },
  options?: CallOptions,
): Promise<void> {
  await client.rpc('job-manager.raise', { id, type, severity, ...(note !== undefined && { note }) }, options);
}

export const cancelJob = (
  client: FluxClient,
  id: JobId,
  note?: string,
  options?: CallOptions,
): Promise<void> =>
  raiseException(client, id, { type: 'cancel', severity: 0, ...(note !== undefined && { note }) }, options);

/** Sends a signal, by its number, to all tasks of a job. */
export async function killJob(
  client: FluxClient,
  id: JobId,
  signum: number,
  options?: CallOptions,
): Promise<void> {
  await client.rpc('job-manager.kill', { id, signum }, options);
}

/** 0 (held) to 31. */
export async function setUrgency(
  client: FluxClient,
  id: JobId,
  urgency: number,
  options?: CallOptions,
): Promise<void> {
  await client.rpc('job-manager.urgency', { id, urgency }, options);
}

const queueAnswer = z.object({
  enable: z.boolean(),
  disable_reason: z.optional(z.string()),
  start: z.boolean(),
  stop_reason: z.optional(z.string()),
  /** A queue that is not started is that only because of its parent, or while no scheduler is loaded (job-manager/queues.c). */
  blocked: z.optional(z.string()),
});

/** Whether jobs are accepted (enable) and started (start), and why not: of one of several queues, where it is named. */
export async function getQueueStatus(
  client: FluxClient,
  name?: string,
  options?: CallOptions,
): Promise<z.output<typeof queueAnswer>> {
  const topic = 'job-manager.queue-status';
  const payload = name === undefined ? {} : { name };
  return readAnswer(queueAnswer, topic, await client.rpc(topic, payload, options));
}

const statsAnswer = z.object({
  housekeeping: z._default(z.object({ running: z.record(z.string(), z.object({ allocated: idset })) }), {
    running: {},
  }),
});

/**
 * The ranks that housekeeping runs on (flux-config-job-manager(5)): their jobs have ended, their resources are not free yet. Flux has no event
 * for its end (flux-core src/modules/job-manager/housekeeping.c).
 */
export async function getHousekeeping(client: FluxClient, options?: RpcOptions): Promise<number[]> {
  const topic = 'job-manager.stats-get';
  const { housekeeping } = readAnswer(statsAnswer, topic, await client.rpc(topic, {}, options));
  return Object.values(housekeeping.running).flatMap(({ allocated }) => allocated);
}

const queuesAnswer = z.object({ queues: z.array(z.string()) });

/** The names of the queues; none where there is only the anonymous queue. */
export async function listQueues(client: FluxClient, options?: CallOptions): Promise<string[]> {
  const topic = 'job-manager.queue-list';
  return readAnswer(queuesAnswer, topic, await client.rpc(topic, {}, options)).queues;
}
