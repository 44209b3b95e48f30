/**
 * The limits of a client of an HTTP server: places, time, and one request at a time. Both of the agent's servers have them. Each state of a
 * connection has a bound: the handshake (`handshakeTimeout`), the wait for a request (`headersTimeout`,
 * `keepAliveTimeout`), the request (`requestTimeout`), all Node.js's own; and the answer, which Node.js leaves unbounded.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { createPlaces, type Place, type PlaceLimits } from './places.ts';

export interface ConnectionLimits extends PlaceLimits {
  /** A client that takes nothing of an answer for so long is cut off. */
  readonly stallMs: number;
  /** The deadline of an answer, from the request's head to the last byte; none unless given. */
  readonly answerMs?: number;
  /** Concurrent TLS handshakes, among the connections; as many as connections unless given. */
  readonly handshakes?: number;
}

/**
 * Takes the connection out of the places and of these time limits until its answer has ended: for a stream of an authenticated client, whose
 * number and time have other limits.
 */
export type Hold = () => void;

export type Respond = (request: IncomingMessage, response: ServerResponse, hold: Hold) => void;

interface Connection extends Place {
  /** With TLS the socket below it, which exists before the handshake. */
  readonly socket: Socket;
  readonly port: number | undefined;
}

/** Limits a server that has no listener yet; `respond` answers its requests. */
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
  // The requests come from a socket around the first one, with the same peer.
  server.on('secureConnection', (socket: Socket) => {
    for (const connection of handshaking.all) {
      if (connection.port !== socket.remotePort || connection.address !== socket.remoteAddress) continue;
      handshaking.leave(connection);
      connectionOf.set(socket, connection);
    }
  });

  server.timeout = stallMs;
  server.on('timeout', (socket: Socket) => {
    // Without unsent bytes the answer is not ready yet, which is not the client's fault.
    if (!connectionOf.get(socket)?.busy || socket.writableLength > 0) socket.destroy();
  });

  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = connectionOf.get(socket);
    // No legitimate client pipelines (RFC 9112, section 9.3.2), and each answer would wait in memory for the one before it.
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
 * Closes a connection in the middle of a read. Node.js dispatches all requests of one read, up to 64 KiB, also after
 * `destroy` (lib/_http_common.js, parserOnHeadersComplete): some 2,000 of them cost 90 ms. That `onIncoming` returns 2 has the parser stop
 * at the next one, as it does for an upgrade (src/node_http_parser.cc, HPE_PAUSED_UPGRADE). Without it the requests are dropped all the
 * same, one by one.
 */
function cutOff(socket: Socket & { parser?: { onIncoming: unknown } | null }): void {
  if (socket.parser) socket.parser.onIncoming = () => 2;
  socket.destroy();
}
