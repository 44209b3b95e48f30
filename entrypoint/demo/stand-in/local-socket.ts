/** The local socket, and the services that are about this broker itself. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import type { JsonObject } from '../../../agent/flux/payload.ts';
import type { BrokerConfig } from './broker-options.ts';
import type { Router } from './message-router.ts';
import { openLink } from './overlay/message-stream.ts';

const { EINVAL, ENOENT, EPROTO } = constants.errno;

/** Admits all who can open the socket. */
export function serveLocal({ socket: path }: BrokerConfig, router: Router): { readonly close: () => void } {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.write(Buffer.of(0));
    const client = openLink(socket, randomUUID(), router.receive, () => {
      sockets.delete(socket);
      router.remove(client);
    });
    router.addClient(client);
  });
  rmSync(path, { force: true });
  if (path !== '') server.listen(path);
  return {
    close: () => {
      server.close();
      for (const socket of sockets) socket.end();
      rmSync(path, { force: true });
    },
  };
}

export function serveBroker({ attributes, readToml, rank }: BrokerConfig, router: Router): void {
  let toml = readToml() as JsonObject;
  router.serve('attr.get', ({ payload: { name }, respond, fail }) => {
    const value = attributes.get(String(name));
    if (typeof name !== 'string') fail(EPROTO);
    else if (value === undefined) fail(ENOENT);
    else respond({ value, flags: 1 });
  });
  router.serve('broker.ping', ({ payload, request: { routes = [], userid, rolemask }, respond }) => {
    const route = routes.map((hop) => hop.slice(0, 8)).reverse();
    respond({ ...(payload as JsonObject), route: route.join('!'), userid, rolemask, rank });
  });
  router.serve('config.get', ({ respond }) => respond(toml));
  router.serve('config.reload', ({ respond, fail }) => {
    try {
      toml = readToml() as JsonObject;
      respond();
    } catch (error) {
      fail(EINVAL, (error as Error).message);
    }
  });
}
