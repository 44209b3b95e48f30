/** The other end of a local socket, for tests of the client: says what a test has it say, right or wrong. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Flag, MessageType } from '../../../agent/flux/constants.ts';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type Request,
} from '../../../agent/flux/flux-message.ts';
import { createDeframer, frame } from '../../../agent/flux/framing.ts';
import { encodeJson, type JsonObject } from '../../../agent/flux/payload.ts';

/** One client's connection, seen from the broker. */
export interface FakeConnection {
  readonly socket: Socket;
  /** Every request that came in. */
  readonly requests: Request[];
  readonly send: (message: Message) => void;
  readonly respond: (request: Request, payload?: JsonObject, errnum?: number) => void;
}

export interface FakeBroker extends AsyncDisposable {
  readonly path: string;
  readonly connections: FakeConnection[];
}

export interface FakeBrokerOptions {
  /** The byte by which it admits (0) or refuses (an errno); undefined says nothing. */
  readonly admission?: number | undefined;
  readonly onConnection?: (connection: FakeConnection) => void;
  readonly onRequest?: (request: Request, connection: FakeConnection) => void;
}

export async function startFakeBroker({
  onConnection = () => undefined,
  onRequest = () => undefined,
  ...options
}: FakeBrokerOptions = {}): Promise<FakeBroker> {
  const admission = 'admission' in options ? options.admission : 0;
  const directory = mkdtempSync(join(tmpdir(), 'fake-broker-'));
  const path = join(directory, 'local');
  const connections: FakeConnection[] = [];
  const server = createServer((socket) => {
    const requests: Request[] = [];
    const send = (message: Message) => void socket.write(frame(encodeMessage(message)));
    const respond: FakeConnection['respond'] = (request, payload, errnum = 0) =>
      send(responseTo(request, { payload, errnum }));
    const connection: FakeConnection = { socket, requests, send, respond };
    connections.push(connection);
    const deframe = createDeframer();
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const message of deframe(bytes).map(decodeMessage)) {
        if (message.type !== MessageType.request)
          throw new Error(`a client sent a message of type ${message.type}`);
        requests.push(message);
        onRequest(message, connection);
      }
    });
    if (admission !== undefined) socket.write(Buffer.of(admission));
    onConnection(connection);
  });
  await once(server.listen(path), 'listening');
  return {
    path,
    connections,
    [Symbol.asyncDispose]: async () => {
      for (const { socket } of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}

/** The response that a service derives from a request (RFC 6): its topic, matchtag and streaming flag. */
export const responseTo = (
  { topic = '', matchtag, flags }: Request,
  { payload, errnum = 0 }: { payload?: JsonObject | Uint8Array | undefined; errnum?: number },
): Message => ({
  type: MessageType.response,
  flags: flags & Flag.streaming,
  userid: 1000,
  rolemask: 1,
  errnum,
  matchtag,
  routes: [],
  topic,
  ...(payload && { payload: payload instanceof Uint8Array ? payload : encodeJson(payload) }),
});
