/** The instance over HTTP: nodes, resources, health, what happens in it, its end; and who is signed in. */
import { getAttr } from '../../flux/services/attr.ts';
import { getHealth } from '../../flux/services/overlay.ts';
import { drain, getResourceStatus, undrain } from '../../flux/services/resource.ts';
import { startShutdown } from '../../flux/services/shutdown.ts';
import { getState } from '../../flux/services/state-machine.ts';
import { ofNodes, readNodes, readResources } from '../../jobs/nodes.ts';
import { unauthorized } from '../auth/authenticate.ts';
import { cameByTls, clearCookies, sessionCookie, setCookie } from '../auth/cookies.ts';
import { type Context, type Route, route } from '../http/route.ts';
import { sseType } from '../http/streams.ts';
import { Problem } from '../problem.ts';
import {
  drainBody,
  healthAnswer,
  messageAnswer,
  nodesAnswer,
  resourcesAnswer,
  sessionAnswer,
  sessionBody,
  shutdownBody,
  undrainBody,
} from './api-schemas.ts';

const withinMs = 2000;

export async function bringDown({ broker }: Context) {
  await startShutdown(await broker.client(), { timeoutMs: withinMs });
  return { json: { Message: 'The instance shuts down: jobs are cancelled, and all pods end.' } };
}

export const instanceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/nodes',
    may: 'read',
    tag: 'Nodes',
    summary: 'Nodes with their state and their place in the tree of brokers',
    answer: nodesAnswer,
    handle: async ({ context }) => {
      const details = await readNodes(await context.broker.client(), context.tree);
      const up = details.filter(({ state }) => state !== 'offline' && state !== 'excluded');
      return { json: { nodes: up.map(({ host }) => host), details } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/nodes/drain',
    may: 'write',
    tag: 'Nodes',
    summary: 'Take nodes out of scheduling; what runs there goes on',
    change: 'drain nodes',
    body: drainBody,
    mostBody: 128 * 1024,
    answer: messageAnswer,
    handle: async ({ body, context, note }) => {
      note({ targets: body.targets, reason: body.reason });
      const client = await context.broker.client();
      await ofNodes(client, drain(client, body.targets, body.reason, { timeoutMs: withinMs }));
      return { json: { Message: 'The nodes are drained.' } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/nodes/undrain',
    may: 'write',
    tag: 'Nodes',
    summary: 'Give nodes back to scheduling',
    change: 'undrain nodes',
    body: undrainBody,
    mostBody: 128 * 1024,
    answer: messageAnswer,
    handle: async ({ body, context, note }) => {
      note({ targets: body.targets });
      const client = await context.broker.client();
      await ofNodes(client, undrain(client, body.targets, { timeoutMs: withinMs }));
      return { json: { Message: 'The nodes are scheduled again.' } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/resources',
    may: 'read',
    tag: 'Nodes',
    summary: 'Nodes, cores and GPUs: all, up, allocated and free',
    answer: resourcesAnswer,
    handle: async ({ context }) => ({ json: await readResources(await context.broker.client()) }),
  }),
  route({
    method: 'GET',
    path: '/v1/health',
    may: 'read',
    tag: 'Instance',
    summary: 'The broker’s state and the overlay’s health',
    answer: healthAnswer,
    handle: async ({ context }) => {
      const client = await context.broker.client();
      const within = { timeoutMs: withinMs };
      const [{ state }, overlay, flux, size, resources] = await Promise.all([
        getState(client, within),
        getHealth(client, within),
        getAttr(client, 'version', within),
        getAttr(client, 'size', within),
        getResourceStatus(client, within),
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
    path: '/v1/events',
    may: 'read',
    tag: 'Instance',
    summary: 'What happens, as it happens',
    description:
      'Server-sent events: first `history` (samples of before), then `jobs` (events of jobs, gathered over a quarter of a second; `more` ' +
      'counts those left out) and every two seconds a `sample` (jobs by state, cores and nodes in use); last, `end`, with the API.',
    answer: { type: 'text/event-stream', what: 'events `history`, `jobs`, `sample`, `end`' },
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
    may: 'write',
    tag: 'Instance',
    summary: 'Bring the MiniCluster down',
    description: 'Jobs are cancelled, all brokers end, and with them all pods.',
    change: 'bring the instance down',
    body: shutdownBody,
    answer: messageAnswer,
    status: 202,
    handle: async ({ body, context }) => {
      if (body.confirm !== context.cluster)
        throw new Problem('invalid', 'confirm is not the name of this MiniCluster: nothing was done.', {
          errors: [{ where: '/confirm', what: `expected ${context.cluster}` }],
        });
      return { ...(await bringDown(context)), status: 202 };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/session',
    may: 'read',
    tag: 'Sign-in',
    summary: 'Who is signed in',
    answer: sessionAnswer,
    handle: async ({ principal, context }) => ({ json: sessionOf(context, principal?.role ?? 'read') }),
  }),
  route({
    method: 'POST',
    path: '/v1/session',
    may: 'anybody',
    tag: 'Sign-in',
    summary: 'Sign in with a token: the answer sets a cookie',
    description: 'With the cookie changes also need the header `X-Flux-Pod`, which no other site can send.',
    change: 'sign in',
    body: sessionBody,
    answer: sessionAnswer,
    handle: async ({ body, headers, context, secure, findToken, note }) => {
      const { tokens } = context.credentials();
      if (tokens === undefined) return { json: sessionOf(context, 'write') };
      const token = findToken(body.token.trim());
      if (!token) throw unauthorized('This is no token of this API.');
      note({ role: token.role, token: token.id });
      const cookie = setCookie(context.sessions.begin(token), cameByTls(headers, secure));
      return { json: sessionOf(context, token.role), headers: { 'set-cookie': cookie } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/session',
    may: 'anybody',
    tag: 'Sign-in',
    summary: 'Sign out',
    change: 'sign out',
    answer: messageAnswer,
    handle: async ({ headers, context, secure, note }) => {
      const { tokens = [] } = context.credentials();
      const session = context.sessions.find(sessionCookie(headers, secure) ?? '', tokens);
      if (session) note({ role: session.token.role, token: session.token.id });
      return {
        json: { Message: 'You are signed out.' },
        headers: { 'set-cookie': clearCookies() },
      };
    },
  }),
];

const sessionOf = ({ cluster, version, credentials }: Context, role: 'read' | 'write') => ({
  role,
  cluster,
  version,
  signedIn: credentials().tokens !== undefined,
});

/** Until the reader has gone: what it is sent comes from the hub. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
