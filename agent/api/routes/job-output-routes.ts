/** The event log and the output of a job over HTTP, as a whole or as a stream. */
import { followEvents, readEvents } from '../../jobs/job-events.ts';
import { readJob } from '../../jobs/list.ts';
import { followOutput, type Piece, readOutput } from '../../jobs/output.ts';
import { jsonList, mapped } from '../http/json-list.ts';
import { type Call, type Route, route } from '../http/route.ts';
import { sse, sseBeat, sseType } from '../http/streams.ts';
import { eventlogAnswer, outputAnswer, outputQuery } from './api-schemas.ts';
import { jobId } from './job-id-parameter.ts';

const plain = 'text/plain; charset=utf-8';

/** Of every answer that is sent as it is read. */
const incomplete =
  'Where it cannot be read to its end the connection is broken off: an answer that ends is whole.';

type CallHeaders = Call<never, never, never>['headers'];

const acceptsEvents = ({ accept }: CallHeaders): boolean => accept?.includes('text/event-stream') ?? false;

/** The number after which a reader that connects again goes on. */
const lastEventId = (headers: CallHeaders): number => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,9}$/.test(id) ? Number(id) : -1;
};

const isOf =
  (stream: 'stdout' | 'stderr' | undefined) =>
  (piece: Piece): boolean =>
    stream === undefined || piece.stream === stream;

export const jobOutputRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/jobs/{id}/events',
    params: { id: jobId },
    role: 'read',
    tag: 'Jobs',
    summary: 'The event log of a job (RFC 21)',
    description:
      'As a whole; with `Accept: text/event-stream` each entry as it comes, until the job is inactive. `Last-Event-ID` goes on after that ' +
      `entry. ${incomplete}`,
    answer: eventlogAnswer,
    handle: async ({ params: { id }, context, headers }) => {
      if (!acceptsEvents(headers)) {
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
      const after = lastEventId(headers);
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
    params: { id: jobId },
    role: 'read',
    tag: 'Jobs',
    summary: 'The output of a job until now',
    description: `All of it, however much: it is sent as it is read, and counts as a stream. ${incomplete}`,
    query: outputQuery,
    answer: outputAnswer,
    handle: async ({ params: { id }, query, headers, context }) => {
      const { state } = await readJob(await context.broker.client(), id);
      const complete = state === 'INACTIVE';
      const textual = query.format === 'text' || (!query.format && headers.accept?.startsWith('text/plain'));
      const isWanted = isOf(query.stream);
      async function* texts(signal: AbortSignal) {
        using client = await context.broker.connect({ signal });
        for await (const pieces of readOutput(client, context.blobs, id, { signal }))
          yield pieces.flatMap(({ piece }) => (isWanted(piece) ? [piece.data] : []));
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
    params: { id: jobId },
    role: 'read',
    tag: 'Jobs',
    summary: 'The output of a job as it comes',
    description:
      'Plain text until the job ends; with `Accept: text/event-stream` events `output` with the pieces and, last, `end`. `Last-Event-ID` ' +
      `goes on after that piece. A reader that takes nothing for 10 s is cut off. ${incomplete}`,
    query: outputQuery,
    answer: { mediaType: 'text/event-stream', description: 'events, or plain text' },
    handle: async ({ params: { id }, context, headers, query }) => {
      await readJob(await context.broker.client(), id);
      const events = acceptsEvents(headers);
      const isWanted = isOf(query.stream);
      const after = lastEventId(headers);
      return {
        type: events ? sseType : plain,
        ...(events && { beat: sseBeat }),
        chunks: async function* (signal) {
          using client = await context.broker.connect({ signal });
          yield '';
          for await (const pieces of followOutput(client, context.blobs, id, { after, signal })) {
            const some = pieces.filter(({ piece }) => isWanted(piece));
            yield some
              .map(({ number, piece }) => (events ? sse('output', piece, number) : piece.data))
              .join('');
          }
          if (events) yield sse('end', {});
        },
      };
    },
  }),
];
