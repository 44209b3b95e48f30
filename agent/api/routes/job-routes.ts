/** Jobs over HTTP: submission, lists, one job. */
import { lookup } from '../../flux/services/job-info.ts';
import { submitCopies } from '../../jobs/copies.ts';
import { JobError } from '../../jobs/job-error.ts';
import { jobAnswer, type SubmitAnswer, submission, submitAnswer } from '../../jobs/job-schemas.ts';
import { explainJob, listPage, ofJob } from '../../jobs/list.ts';
import { type Submission, submit } from '../../jobs/submit-job.ts';
import { idempotencyHeader } from '../http/idempotency.ts';
import { largeBody } from '../http/request.ts';
import { type Call, type Route, route } from '../http/route.ts';
import { copiesAnswer, copiesSubmission, jobsAnswer, jobsQuery, longestIdset } from './api-schemas.ts';
import { jobId } from './job-id-parameter.ts';

/** Submits a job, once for an Idempotency-Key where there is one. */
export async function submitOnce(
  { context, headers, principal }: Pick<Call<unknown, unknown, unknown>, 'context' | 'headers' | 'principal'>,
  submission: Submission,
): Promise<{ answer: SubmitAnswer; isReplay: boolean }> {
  const key = headers['idempotency-key'];
  const client = await context.broker.client();
  return context.submissions.once(principal?.token ?? '', Array.isArray(key) ? key[0] : key, submission, () =>
    submit(client, submission, context),
  );
}

export const jobRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/jobs',
    role: 'write',
    tag: 'Jobs',
    summary: 'Submit a job',
    description:
      'The job runs as the owner of the instance, whoever submits it. With the header `Idempotency-Key`, a request that is sent again ' +
      'is answered as before and submits nothing.',
    change: 'submit a job',
    headers: idempotencyHeader,
    body: submission,
    largestBody: largeBody,
    answer: submitAnswer,
    status: 201,
    handle: async (call) => {
      const { answer, isReplay } = await submitOnce(call, call.body);
      call.note({ job: answer.id, ...(isReplay && { replayed: true }) });
      const headers = {
        location: `/v1/jobs/${answer.id}`,
        ...(isReplay && { 'idempotency-replayed': 'true' }),
      };
      return { status: isReplay ? 200 : 201, json: answer, headers };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/cc',
    role: 'write',
    tag: 'Jobs',
    summary: 'Submit many jobs that differ by a number, as `flux submit --cc` does',
    description:
      'Up to 10,000, several times as fast as one by one. Where only some could be submitted, their `ids` are in the problem.',
    change: 'submit jobs',
    body: copiesSubmission,
    largestBody: largeBody + longestIdset,
    answer: copiesAnswer,
    status: 201,
    handle: async ({ body, context, note }) => {
      const ids = await submitCopies(await context.broker.client(), body.cc, body.job, context).catch(
        (error) => {
          note({ jobs: error instanceof JobError ? error.submitted : [] });
          throw error;
        },
      );
      note({ jobs: ids });
      return { status: 201, json: { ids } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs',
    role: 'read',
    tag: 'Jobs',
    summary: 'List and search jobs, in pages',
    query: jobsQuery,
    answer: jobsAnswer,
    handle: async ({ query, context, principal, signal }) => {
      using _search = query.search === undefined ? undefined : context.searches.take(principal?.token ?? '');
      const page = await listPage(await context.broker.client(), query, { signal });
      if (!query.details) return { json: page };
      // flux-restful-api: by id, unless a listing is asked for.
      return { json: query.listing ? page.jobs : Object.fromEntries(page.jobs.map((job) => [job.id, job])) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}',
    params: { id: jobId },
    role: 'read',
    tag: 'Jobs',
    summary: 'One job',
    answer: jobAnswer,
    handle: async ({ params, context }) => ({
      json: await explainJob(await context.broker.client(), params.id),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/jobspec',
    params: { id: jobId },
    role: 'read',
    tag: 'Jobs',
    summary: 'The jobspec that the job was submitted as (RFC 14)',
    answer: { mediaType: 'application/json', description: 'the jobspec' },
    handle: async ({ params: { id }, context }) => {
      const { jobspec } = await ofJob(id, lookup(await context.broker.client(), id, ['jobspec']));
      return { type: 'application/json', body: jobspec };
    },
  }),
];
