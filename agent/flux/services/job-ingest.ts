/** Submission of jobs (flux-core src/common/libjob/submit.c; RFC 15 for the signature). */
import * as z from 'zod/mini';
import type { CallOptions } from '../channel.ts';
import { type JobId, jobId } from '../job-id.ts';
import type { JsonObject } from '../payload.ts';
import { type FluxClient, readAnswer } from './answer.ts';

const submitAnswer = z.object({ id: jobId });

/** RFC 14: 0 holds the job, 16 is the default, 31 is the most urgent. */
export const defaultUrgency = 16;

const userid = process.getuid?.() ?? 0;

/** Submits a jobspec (RFC 14, RFC 25) as the instance's owner. Throws a FluxError with the reason where it is invalid. */
export async function submitJob(
  client: FluxClient,
  jobspec: JsonObject,
  urgency: number = defaultUrgency,
  options?: CallOptions,
): Promise<JobId> {
  const topic = 'job-ingest.submit';
  const payload = { J: signWithNone(JSON.stringify(jobspec), userid), urgency, flags: 0 };
  return readAnswer(submitAnswer, topic, await client.rpc(topic, payload, options)).id;
}

/**
 * HEADER.PAYLOAD.SIGNATURE with the mechanism `none`, which is enough for the instance's owner: the broker has the
 * credentials of the socket's peer. The header is pairs of NUL-terminated strings (flux-core src/common/libjob/sign_none.c).
 */
export function signWithNone(payload: string, userid: number): string {
  const header = ['version', 'i1', 'userid', `i${userid}`, 'mechanism', 'snone']
    .map((word) => `${word}\0`)
    .join('');
  return `${Buffer.from(header).toString('base64')}.${Buffer.from(payload).toString('base64')}.none`;
}
