/**
 * What one client may take of an HTTP server: places, time, and one request at a time. Both of the agent's servers have these limits.
 * Each state of a connection has a bound: the handshake (`handshakeTimeout`), the wait for a request (`headersTimeout`,
 * `keepAliveTimeout`), the request (`requestTimeout`), all Node.js's own; and the answer, which Node.js leaves unbounded.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { createPlaces, type Place, type PlaceLimits } from './places.ts';

export interface ConnectionLimits extends PlaceLimits {
  /** A client that takes nothing of an answer for as long is cut off. */
  readonly stallMs: number;
  /** From the head of a request to the last byte of its answer, however it is read; unbounded unless given. */
  readonly answerMs?: number;
  /** TLS handshakes at once, among the connections; as many as there are connections unless given. */
  readonly handshakes?: number;
}

/**
 * Takes the connection out of the places and out of these time limits until the answer under way has ended: for an answer that goes on,
 * whose client is known, and whose number and time something else bounds.
 */
export type Hold = () => void;

export type Respond = (request: IncomingMessage, response: ServerResponse, hold: Hold) => void;

interface Connection extends Place {
  /** With TLS the one below it, which is there before the handshake. */
  readonly socket: Socket;
  readonly port: number | undefined;
}

/** Has `respond` answer the requests of a server that has no listener of its own yet. */
export function limitConnections(server: Server, limits: ConnectionLimits, respond: Respond): void {
  const { stallMs, answerMs, handshakes } = limits;
  const places = createPlaces<Connection>(limits);
  const handshaking = createPlaces<Connection>({ connections: handshakes ?? limits.connections });
  const isTls = server instanceof TlsServer;
  const connectionOf = new WeakMap<Socket, Connection>();
  const enter = (connection: Connection) => void places.enter(connection)?.socket.destroy();

  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address = '', remotePort: port } = socket;
    const connection = { socket, address, port, busy: false, fresh: true };
    connectionOf.set(socket, connection);
    // libuv accepts all connections that wait before it reads from any (uv__server_io): the request is read in the next turn of the loop.
    setImmediate(() =>
      setImmediate(() => {
        connection.fresh = false;
      }),
    );
    socket.once('close', () => {
      places.leave(connection);
      handshaking.leave(connection);
    });
    enter(connection);
    if (isTls) handshaking.enter(connection)?.socket.destroy();
  });
  // The requests come from a socket around the first one: it has the same client.
  server.on('secureConnection', (socket: Socket) => {
    for (const connection of handshaking.all) {
      if (connection.port !== socket.remotePort || connection.address !== socket.remoteAddress) continue;
      handshaking.leave(connection);
      connectionOf.set(socket, connection);
    }
  });

  server.timeout = stallMs;
  server.on('timeout', (socket: Socket) => {
    // Where nothing waits for the client, the answer is not there yet: that is not his fault.
    if (!connectionOf.get(socket)?.busy || socket.writableLength > 0) socket.destroy();
  });

  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = connectionOf.get(socket);
    // Nobody legitimate pipelines (RFC 9112, section 9.3.2), and each answer would wait in memory for the one before it.
    if (!connection || connection.busy) return cutOff(socket);
    connection.busy = true;
    const late = answerMs === undefined ? undefined : setTimeout(() => socket.destroy(), answerMs);
    response.once('close', () => {
      clearTimeout(late);
      connection.busy = false;
      if (!connection.socket.destroyed) enter(connection);
    });
    respond(request, response, () => {
      clearTimeout(late);
      socket.setTimeout(0);
      places.leave(connection);
    });
  });
}

/**
 * Ends a connection in the middle of what its parser is reading. Node.js dispatches all requests of one read, up to 64 KiB, also after
 * `destroy` (lib/_http_common.js, parserOnHeadersComplete): some 2,000 of them cost 90 ms. That `onIncoming` returns 2 has the parser stop
 * at the next one, as it does for an upgrade (src/node_http_parser.cc, HPE_PAUSED_UPGRADE). Without it the requests are dropped all the
 * same, one by one.
 */
function cutOff(socket: Socket & { parser?: { onIncoming: unknown } | null }): void {
  if (socket.parser) socket.parser.onIncoming = () => 2;
  socket.destroy();
}
