/** Raw HTTP/1.1 clients, from any address of loopback (127.0.0.0/8 is this machine, all of it). */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface RawClient {
  readonly socket: Socket;
  /** All that has come. */
  readonly text: () => string;
  /** Status codes of the answers that have begun. */
  readonly statuses: () => number[];
  readonly closed: () => boolean;
  readonly send: (path: string, headers?: string) => void;
}

/** For `expect.poll`, where what is waited for comes within milliseconds. Its limit is that of the project (vitest.config.ts). */
export const patience = { interval: 5 };

export const get = (path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** Resolves when it is connected: the server may not have accepted it yet. */
export async function connectRaw(port: number, localAddress = '127.0.0.1'): Promise<RawClient> {
  const socket = createConnection({ port, host: '127.0.0.1', localAddress });
  let text = '';
  let closed = false;
  // Reset by the peer is one way of being closed.
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.once('close', () => {
    closed = true;
  });
  await once(socket, 'connect');
  return {
    socket,
    text: () => text,
    statuses: () => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)),
    closed: () => closed,
    send: (path, headers) => void socket.write(get(path, headers)),
  };
}

/** Of loopback. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
