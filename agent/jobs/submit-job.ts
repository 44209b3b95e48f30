import type { FluxClient } from '../flux/client.ts';
import { detailOf, FluxError, isOutage } from '../flux/errors.ts';
import { formatJobId } from '../flux/job-id.ts';
import type { JsonObject } from '../flux/payload.ts';
import { submitJob } from '../flux/services/job-ingest.ts';
import { JobError } from './job-error.ts';
import type { SimpleJob, SubmitAnswer } from './job-schemas.ts';
import { type JobDefaults, jobspecOf } from './jobspec.ts';

export type Submission = SimpleJob | { readonly jobspec: object; readonly urgency?: number | undefined };

/** Submits a job. Throws a JobError (invalid) with Flux's message where Flux refuses it. */
export async function submit(
  client: FluxClient,
  submission: Submission,
  defaults: JobDefaults,
): Promise<SubmitAnswer> {
  const jobspec =
    'jobspec' in submission ? (submission.jobspec as JsonObject) : jobspecOf(submission, defaults);
  try {
    const id = await submitJob(client, jobspec, submission.urgency);
    return { id: formatJobId(id), idDecimal: String(id) };
  } catch (error) {
    // The validator's errno is arbitrary; its message is the fault of the jobspec.
    if (error instanceof FluxError && !isOutage(error)) throw new JobError('invalid', detailOf(error));
    throw error;
  }
}
