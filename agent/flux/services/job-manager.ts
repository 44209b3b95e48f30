/** Operations on jobs and queues (flux-core src/modules/job-manager). */
import * as z from 'zod/mini';
import type { CallOptions } from '../channel.ts';
import type { JobId } from '../job-id.ts';
import { type FluxClient, readAnswer } from './answer.ts';

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

const queuesAnswer = z.object({ queues: z.array(z.string()) });

/** The names of the queues; none where there is only the anonymous queue. */
export async function listQueues(client: FluxClient, options?: CallOptions): Promise<string[]> {
  const topic = 'job-manager.queue-list';
  return readAnswer(queuesAnswer, topic, await client.rpc(topic, {}, options)).queues;
}
