import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createTopology } from '../../../agent/cluster/topology.ts';
import { instanceKey } from '../../../agent/link/key.ts';
import type { OpenLink } from '../../../agent/link/open-link.ts';
import { openParentLink, type ParentLinkOptions } from '../../../agent/parent-link/child-end.ts';
import { createParentLinks } from '../../../agent/parent-link/parent-end.ts';

export const secretKey = 'JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6';
export const instance = ['default', 'mc', 'mc-[0-9]'];
export const key = instanceKey(secretKey, instance);
const flat = createTopology({ scheme: 'custom' }, 10);

export interface Listening extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

export async function listening(server: Server, port = 0, host = '127.0.0.1'): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  await once(server.listen(port, host), 'listening');
  return {
    host,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}

/** Something that takes TCP connections and does with them what `act` says. */
export const listen = (act: (socket: Socket) => void): Promise<Listening> => listening(createServer(act));

/** A parent's agent, as far as its links go. */
export async function startParent({ rank = 0, tree = flat } = {}) {
  const links = createParentLinks({ rank, tree });
  const server = createHttpServer((request, response) => {
    if (!links.extension(request, response, () => undefined)) response.writeHead(404).end();
  });
  return Object.assign(links, await listening(server));
}

/** However busy the machine is. */
export const patient = { connectMs: 60_000, helloMs: 60_000 };

export const openLink = (parent: Listening, options: Partial<ParentLinkOptions> = {}) =>
  openParentLink(
    { host: parent.host, port: parent.port },
    {
      key,
      ranks: { parent: 0, child: 1 },
      signal: new AbortController().signal,
      onMessage: () => undefined,
      deadlines: patient,
      ...options,
    },
  );

/** The same, where there is nothing in the way. */
export async function heldLink(parent: Listening, options?: Partial<ParentLinkOptions>): Promise<OpenLink> {
  const link = await openLink(parent, options);
  if (typeof link === 'string') throw new Error(`no link: ${link}`);
  return link;
}
