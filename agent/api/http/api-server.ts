/** The API's HTTP server and its limits. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type ConnectionLimits, limitConnections, type Respond } from '../../http/connection-limits.ts';
import { toProblem } from '../problem.ts';
import { handleRequest, type RequestServices } from './handle-request.ts';
import { sendProblem } from './send-reply.ts';

/** Limits of one client: milliseconds for a request and for a pause between two, and the size of its head. */
const limits = {
  requestMs: 10_000,
  idleMs: 15_000,
  checkMs: 2000,
  headerBytes: 16 * 1024,
  headers: 64,
};

/**
 * Behind an ingress or a port-forward all clients have one address, so there is no limit for each. Streams are not counted: they have
 * limits of their own (streams.ts). A TLS connection takes about 100 KiB, so the number of handshakes is small.
 */
export const usualConnectionLimits: ConnectionLimits & { readonly handshakeMs: number } = {
  connections: 600,
  handshakes: 200,
  stallMs: 10_000,
  handshakeMs: 10_000,
};

export interface ApiServerOptions extends RequestServices {
  /** For tests. */
  readonly connectionLimits?: typeof usualConnectionLimits | undefined;
}

export function createApiServer(options: ApiServerOptions): Server {
  const settings = {
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: limits.checkMs,
    maxHeaderSize: limits.headerBytes,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  };
  const { connectionLimits = usualConnectionLimits } = options;
  const { tls } = options.context.credentials();
  const { handshakeMs: handshakeTimeout } = connectionLimits;
  const server = tls
    ? createTlsServer({ ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout })
    : createServer(settings);
  server.maxHeadersCount = limits.headers;
  limitConnections(server, connectionLimits, respondWith(options));
  return server;
}

function respondWith(services: RequestServices): Respond {
  const { log } = services;
  return (request, response, hold) => {
    // An error of one connection is no error of the server.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void handleRequest({ request, response, hold }, services)
      .catch((error: unknown) => {
        const reference = randomUUID();
        const problem = toProblem(error, (cause) =>
          log('error', 'Internal error of the API', { reference, why: stackOf(cause) }),
        );
        sendProblem(request, response, problem, reference);
      })
      .finally(() => {
        // The rest of a body that no step has read.
        if (!request.complete) request.destroy();
      });
  };
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
