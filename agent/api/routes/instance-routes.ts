/** The instance over HTTP: its health, its queues, its events, its shutdown. */
import { getAttr } from '../../flux/services/attr.ts';
import { getJobStats } from '../../flux/services/job-list.ts';
import { getQueueStatus, listQueues } from '../../flux/services/job-manager.ts';
import { getHealth } from '../../flux/services/overlay.ts';
import { getResourceStatus } from '../../flux/services/resource.ts';
import { startShutdown } from '../../flux/services/shutdown.ts';
import { getState } from '../../flux/services/state-machine.ts';
import type { Context } from '../context.ts';
import { type Route, route } from '../http/route.ts';
import { sseType } from '../http/streams.ts';
import { HttpProblem } from '../problem.ts';
import { healthAnswer, messageAnswer, queueAnswer, shutdownBody } from './api-schemas.ts';

const withTimeout = { timeoutMs: 2000 };

export async function shutDown({ broker }: Context) {
  await startShutdown(await broker.client(), withTimeout);
  return { json: { Message: 'The instance shuts down: jobs are cancelled, and all pods end.' } };
}

export const instanceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/health',
    role: 'read',
    tag: 'Instance',
    summary: 'The broker’s state and the overlay’s health',
    answer: healthAnswer,
    handle: async ({ context }) => {
      const client = await context.broker.client();
      const [{ state }, overlay, flux, size, resources] = await Promise.all([
        getState(client, withTimeout),
        getHealth(client, withTimeout),
        getAttr(client, 'version', withTimeout),
        getAttr(client, 'size', withTimeout),
        getResourceStatus(client, withTimeout),
      ]);
      const { cluster, version } = context;
      const online = resources.online.length;
      return {
        json: {
          cluster,
          state,
          size: Number(size ?? 1),
          online,
          overlay: overlay.status,
          ...(flux !== undefined && { flux }),
          version,
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/queue',
    role: 'read',
    tag: 'Instance',
    summary: 'Whether jobs are accepted and started, and how many there are',
    answer: queueAnswer,
    handle: async ({ context }) => {
      const client = await context.broker.client();
      const [names, stats] = await Promise.all([listQueues(client), getJobStats(client, withTimeout)]);
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
  route({
    method: 'GET',
    path: '/v1/events',
    role: 'read',
    tag: 'Instance',
    summary: 'Events of the instance as they happen',
    description:
      'Server-sent events: first `history` (samples of before), then `jobs` (events of jobs, gathered over a quarter of a second, over half of one where 500 read; `more` ' +
      'counts those left out) and every two seconds a `sample` (jobs by state, cores and nodes in use); last, `end`, with the API.',
    answer: { mediaType: 'text/event-stream', description: 'events `history`, `jobs`, `sample`, `end`' },
    handle: async ({ context }) => ({
      type: sseType,
      chunks: async function* (signal, response) {
        yield '';
        context.events.join(response);
        await aborted(signal);
      },
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/shutdown',
    role: 'write',
    tag: 'Instance',
    summary: 'Shut down the MiniCluster',
    description: 'Jobs are cancelled, all brokers exit, and with them all pods.',
    change: 'shut down the instance',
    body: shutdownBody,
    answer: messageAnswer,
    status: 202,
    handle: async ({ body, context }) => {
      if (body.confirm !== context.cluster)
        throw new HttpProblem('invalid', 'confirm is not the name of this MiniCluster: nothing was done.', {
          errors: [{ where: '/confirm', what: `expected ${context.cluster}` }],
        });
      return { ...(await shutDown(context)), status: 202 };
    },
  }),
];

/** Until the connection has closed: the hub writes to it. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
