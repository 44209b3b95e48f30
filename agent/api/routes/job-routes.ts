/** Jobs over HTTP. */
import { constants } from 'node:os';
import { detailOf, FluxError, isOutage } from '../../flux/errors.ts';
import { formatJobId } from '../../flux/job-id.ts';
import { lookup } from '../../flux/services/job-info.ts';
import { getJobStats } from '../../flux/services/job-list.ts';
import {
  cancelJob,
  getQueueStatus,
  killJob,
  listQueues,
  setUrgency,
} from '../../flux/services/job-manager.ts';
import { submitCopies } from '../../jobs/copies.ts';
import { JobError } from '../../jobs/job-error.ts';
import { followEvents, readEvents } from '../../jobs/job-events.ts';
import { jobAnswer, submission, submitAnswer } from '../../jobs/job-schemas.ts';
import { findJob, idOf, listPage, ofJob } from '../../jobs/list.ts';
import { followOutput, type Piece, readOutput } from '../../jobs/output.ts';
import { type Submission, submit } from '../../jobs/submit-job.ts';
import { jsonList, mapped } from '../http/json-list.ts';
import { largeBody } from '../http/request.ts';
import { type Call, type Reply, type Route, route } from '../http/route.ts';
import { sse, sseBeat, sseType } from '../http/streams.ts';
import { Problem } from '../problem.ts';
import {
  cancelBody,
  copiesAnswer,
  copiesSubmission,
  eventlogAnswer,
  jobsAnswer,
  jobsQuery,
  messageAnswer,
  mostNumbers,
  outputAnswer,
  outputQuery,
  queueAnswer,
  signalBody,
  urgencyBody,
} from './api-schemas.ts';

const plain = 'text/plain; charset=utf-8';

/** Submits once for an Idempotency-Key, if there is one. */
export async function submitOnce(
  { context, headers, principal }: Call<undefined, unknown>,
  submission: Submission,
) {
  const key = headers['idempotency-key'];
  const client = await context.broker.client();
  return context.submissions.once(
    principal?.token ?? '',
    Array.isArray(key) ? key[0] : key,
    JSON.stringify(submission),
    () => submit(client, submission, context),
  );
}

/** A change that Flux refuses because of what has become of the job. */
async function change(id: bigint, what: string, act: () => Promise<void>, done: string): Promise<Reply> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof FluxError) || isOutage(error)) throw error;
    const unknown = /unknown|no such|not found/i.test(error.message);
    const Message = unknown ? `There is no job ${formatJobId(id)}.` : `${what}: ${detailOf(error)}.`;
    throw new Problem(unknown ? 'not-found' : 'conflict', Message, {
      members: { Message, id: formatJobId(id) },
    });
  }
  return { json: { Message: done, id: formatJobId(id) } };
}

/** The numbers of signals that a job can be sent, by their names. */
function signalNumber(signal: string | number): number {
  if (typeof signal === 'number') return signal;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  const number = numbers[signal.startsWith('SIG') ? signal : `SIG${signal}`];
  if (number === undefined) throw new Problem('invalid', `There is no signal ${signal}.`);
  return number;
}

/** What holds for every answer that is sent as it is read. */
const brokenOff =
  'Where it cannot be read to its end the connection is broken off: an answer that ends is whole.';

const wantsEvents = ({ headers }: Pick<Call<never, never>, 'headers'>): boolean =>
  headers.accept?.includes('text/event-stream') ?? false;

/** The number after which a reader that comes back wants to go on. */
const lastSeen = (headers: Call<never, never>['headers']): number => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,9}$/.test(id) ? Number(id) : -1;
};

const chosen =
  (stream: 'stdout' | 'stderr' | undefined) =>
  (piece: Piece): boolean =>
    stream === undefined || piece.stream === stream;

export const jobRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/jobs',
    may: 'write',
    tag: 'Jobs',
    summary: 'Submit a job',
    description:
      'The job runs as the owner of the instance, whoever submits it. With the header `Idempotency-Key`, a request that is sent again ' +
      'is answered as before and submits nothing.',
    change: 'submit a job',
    body: submission,
    mostBody: largeBody,
    answer: submitAnswer,
    status: 201,
    handle: async (call) => {
      const { answer, again } = await submitOnce({ ...call, query: undefined }, call.body);
      call.note({ job: answer.id, ...(again && { replayed: true }) });
      const headers = { location: `/v1/jobs/${answer.id}`, ...(again && { 'idempotency-replayed': 'true' }) };
      return { status: again ? 200 : 201, json: answer, headers };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/cc',
    may: 'write',
    tag: 'Jobs',
    summary: 'Submit many jobs that differ by a number, as `flux submit --cc` does',
    description:
      'Up to 10,000, several times as fast as one by one. Where only some could be submitted, their `ids` are in the problem.',
    change: 'submit jobs',
    body: copiesSubmission,
    mostBody: largeBody + mostNumbers,
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
    may: 'read',
    tag: 'Jobs',
    summary: 'List and search jobs, in pages',
    query: jobsQuery,
    answer: jobsAnswer,
    handle: async ({ query, context, principal }) => {
      using _search = query.search === undefined ? undefined : context.searches.take(principal?.token ?? '');
      const page = await listPage(await context.broker.client(), query);
      if (!query.details) return { json: page };
      // flux-restful-api: by id, unless a listing is asked for.
      return { json: query.listing ? page.jobs : Object.fromEntries(page.jobs.map((job) => [job.id, job])) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}',
    may: 'read',
    tag: 'Jobs',
    summary: 'One job',
    answer: jobAnswer,
    handle: async ({ params, context }) => ({
      json: await findJob(await context.broker.client(), params.id ?? ''),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/jobspec',
    may: 'read',
    tag: 'Jobs',
    summary: 'What the job was submitted as (RFC 14)',
    answer: { type: 'application/json', what: 'the jobspec' },
    handle: async ({ params, context }) => {
      const id = idOf(params.id ?? '');
      const { jobspec } = await ofJob(id, lookup(await context.broker.client(), id, ['jobspec']));
      return { type: 'application/json', body: jobspec };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/events',
    may: 'read',
    tag: 'Jobs',
    summary: 'The event log of a job (RFC 21)',
    description:
      'As a whole; with `Accept: text/event-stream` each entry as it comes, until the job is inactive. `Last-Event-ID` goes on after that ' +
      `entry. ${brokenOff}`,
    answer: eventlogAnswer,
    handle: async (call) => {
      const { params, context, headers } = call;
      const id = idOf(params.id ?? '');
      if (!wantsEvents(call)) {
        return {
          type: 'application/json',
          chunks: async function* (signal) {
            using client = await context.broker.connect({ signal });
            const events = readEvents(client, context.blobs, id, { signal });
            yield* jsonList(
              'events',
              mapped(events, ({ entries }) => entries),
            );
          },
        };
      }
      const after = lastSeen(headers);
      return {
        type: sseType,
        beat: sseBeat,
        chunks: async function* (signal) {
          using client = await context.broker.connect({ signal });
          for await (const { first, entries } of followEvents(client, context.blobs, id, { after, signal }))
            yield entries.map((entry, at) => sse('entry', entry, first + at)).join('');
          yield sse('end', {});
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/output',
    may: 'read',
    tag: 'Jobs',
    summary: 'What a job has written until now',
    description: `All of it, however much: it is sent as it is read, and counts as a stream. ${brokenOff}`,
    query: outputQuery,
    answer: outputAnswer,
    handle: async ({ params, query, headers, context }) => {
      const id = idOf(params.id ?? '');
      const { state } = await findJob(await context.broker.client(), params.id ?? '');
      const complete = state === 'INACTIVE';
      const textual = query.format === 'text' || (!query.format && headers.accept?.startsWith('text/plain'));
      const wanted = chosen(query.stream);
      async function* texts(signal: AbortSignal) {
        using client = await context.broker.connect({ signal });
        for await (const pieces of readOutput(client, context.blobs, id, { signal }))
          yield pieces.flatMap(({ piece }) => (wanted(piece) ? [piece.data] : []));
      }
      if (textual) return { type: plain, chunks: (signal) => mapped(texts(signal), (some) => some.join('')) };
      return {
        type: 'application/json',
        // flux-restful-api's client takes the one or the other.
        chunks: (signal) =>
          jsonList('Output', texts(signal), { complete }, () => ({
            Message: 'The output does not exist yet, or the jobid is incorrect.',
            ...(complete && { Output: [] }),
          })),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/output/stream',
    may: 'read',
    tag: 'Jobs',
    summary: 'What a job writes, as it comes',
    description:
      'Plain text until the job ends; with `Accept: text/event-stream` events `output` with the pieces and, last, `end`. `Last-Event-ID` ' +
      `goes on after that piece. A reader that takes nothing for 10 s is cut off. ${brokenOff}`,
    query: outputQuery,
    answer: { type: 'text/event-stream', what: 'events, or plain text' },
    handle: async (call) => {
      const { params, context, headers, query } = call;
      const id = idOf(params.id ?? '');
      await findJob(await context.broker.client(), params.id ?? '');
      const events = wantsEvents(call);
      const wanted = chosen(query.stream);
      const after = lastSeen(headers);
      return {
        type: events ? sseType : plain,
        ...(events && { beat: sseBeat }),
        chunks: async function* (signal) {
          using client = await context.broker.connect({ signal });
          yield '';
          for await (const pieces of followOutput(client, context.blobs, id, { after, signal })) {
            const some = pieces.filter(({ piece }) => wanted(piece));
            yield some
              .map(({ number, piece }) => (events ? sse('output', piece, number) : piece.data))
              .join('');
          }
          if (events) yield sse('end', {});
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/{id}/cancel',
    may: 'write',
    tag: 'Jobs',
    summary: 'Cancel a job',
    change: 'cancel a job',
    body: cancelBody,
    bodyOptional: true,
    answer: messageAnswer,
    handle: async ({ params, body, context, note }) => {
      note({ note: body?.note });
      const client = await context.broker.client();
      const id = idOf(params.id ?? '');
      const act = () => cancelJob(client, id, body?.note);
      return change(id, 'Job cannot be cancelled', act, 'Job is requested to cancel.');
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/{id}/signal',
    may: 'write',
    tag: 'Jobs',
    summary: 'Send a signal to all tasks of a job',
    change: 'signal a job',
    body: signalBody,
    answer: messageAnswer,
    handle: async ({ params, body, context, note }) => {
      note({ signal: body.signal });
      const client = await context.broker.client();
      const id = idOf(params.id ?? '');
      const number = signalNumber(body.signal);
      const act = () => killJob(client, id, number);
      return change(id, 'Job cannot be signalled', act, `Signal ${number} is on its way.`);
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/jobs/{id}/urgency',
    may: 'write',
    tag: 'Jobs',
    summary: 'Change the urgency of a job that waits',
    change: 'change the urgency of a job',
    body: urgencyBody,
    answer: messageAnswer,
    handle: async ({ params, body, context, note }) => {
      note({ urgency: body.urgency });
      const client = await context.broker.client();
      const id = idOf(params.id ?? '');
      const act = () => setUrgency(client, id, body.urgency);
      return change(id, 'The urgency cannot be changed', act, `The urgency is ${body.urgency}.`);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/queue',
    may: 'read',
    tag: 'Instance',
    summary: 'Whether jobs are taken and started, and how many there are',
    answer: queueAnswer,
    handle: async ({ context }) => {
      const client = await context.broker.client();
      const [names, stats] = await Promise.all([
        listQueues(client),
        getJobStats(client, { timeoutMs: 2000 }),
      ]);
      const queues = await Promise.all(
        (names.length === 0 ? [undefined] : names).map(async (name) => {
          const { enable, start, disable_reason, stop_reason } = await getQueueStatus(client, name);
          const reason = disable_reason ?? stop_reason;
          return {
            ...(name !== undefined && { name }),
            enabled: enable,
            started: start,
            ...(reason !== undefined && { reason }),
          };
        }),
      );
      const { job_states: states, successful, failed, canceled, timeout } = stats;
      return { json: { queues, states, results: { successful, failed, canceled, timeout } } };
    },
  }),
];
