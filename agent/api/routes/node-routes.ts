/** Nodes and resources over HTTP. */
import { drain, undrain } from '../../flux/services/resource.ts';
import { ofNodes, readNodes, readResources } from '../../jobs/nodes.ts';
import { type Route, route } from '../http/route.ts';
import { drainBody, messageAnswer, nodesAnswer, resourcesAnswer, undrainBody } from './api-schemas.ts';

const timeoutMs = 2000;
/** Room for 65,536 characters of targets, and a reason. */
const largestBody = 128 * 1024;

export const nodeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/nodes',
    role: 'read',
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
    role: 'write',
    tag: 'Nodes',
    summary: 'Take nodes out of scheduling; jobs that run there go on',
    change: 'drain nodes',
    body: drainBody,
    largestBody,
    answer: messageAnswer,
    handle: async ({ body, context, note }) => {
      note({ targets: body.targets, reason: body.reason });
      const client = await context.broker.client();
      await ofNodes(client, drain(client, body.targets, body.reason, { timeoutMs }));
      return { json: { Message: 'The nodes are drained.' } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/nodes/undrain',
    role: 'write',
    tag: 'Nodes',
    summary: 'Give nodes back to scheduling',
    change: 'undrain nodes',
    body: undrainBody,
    largestBody,
    answer: messageAnswer,
    handle: async ({ body, context, note }) => {
      note({ targets: body.targets });
      const client = await context.broker.client();
      await ofNodes(client, undrain(client, body.targets, { timeoutMs }));
      return { json: { Message: 'The nodes are scheduled again.' } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/resources',
    role: 'read',
    tag: 'Nodes',
    summary: 'Nodes, cores and GPUs: all, up, allocated and free',
    answer: resourcesAnswer,
    handle: async ({ context }) => ({ json: await readResources(await context.broker.client()) }),
  }),
];
