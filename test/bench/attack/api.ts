/** Attacks on port 8052 by connections alone: nobody needs a token. */
import { close, keepOpen, openSockets, stillOpen } from './sockets.ts';
import type { Attack } from './target.ts';

export const apiConnections: readonly Attack[] = [
  {
    name: '40 x /v1/openapi.json, unread',
    before: '11 of 40 connections were open after 75 s',
    api: 'plain',
    run: async ({ pod, addresses }) => {
      const write = 'GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3000);
      const spec = { host: pod.address, port: 8052, count: 40, from: addresses, write, unread: true };
      const sockets = openSockets(spec);
      const left = await stillOpen(sockets, 20_000);
      close(sockets);
      return `${left} of 40 connections are open after 20 s`;
    },
  },
  {
    name: '1,300 without TLS handshake',
    before: '0 of 20 connections were closed after 20 s; 1,200 closed the API for 120 s',
    api: 'tls',
    run: ({ pod, addresses }) =>
      keepOpen({ host: pod.address, port: 8052, count: 1300, from: addresses }, 20_000),
  },
];
