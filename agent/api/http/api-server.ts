/** The API's HTTP server: who asks, how much, in what time; then the route; then the answer, or what is wrong. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { messageOf } from '../../errors.ts';
import {
  type ConnectionLimits,
  type Hold,
  limitConnections,
  type Respond,
} from '../../http/connection-limits.ts';
import { endWith } from '../../http/end-with.ts';
import type { RateLimit } from '../../http/rate-limit.ts';
import type { Log } from '../../log.ts';
import {
  authenticate,
  type Principal,
  refuseForgery,
  refuseRebinding,
  unauthorized,
} from '../auth/authenticate.ts';
import type { OpenAnswers } from '../auth/open-answers.ts';
import type { TokenCheck } from '../auth/token-check.ts';
import { Problem, problemBody, problemKinds, toProblem } from '../problem.ts';
import type { Audit, AuditLine } from './audit.ts';
import type { Match, Router } from './find-route.ts';
import { type Asked, parseBody, parseQuery, readBody, readHead } from './request.ts';
import type { Call, Context, Reply, Route } from './route.ts';
import type { Source } from './streams.ts';

/** A client has this long for a request and for a pause between two, and this much room. */
const limits = {
  requestMs: 10_000,
  idleMs: 15_000,
  checkMs: 2000,
  headerBytes: 16 * 1024,
  headers: 64,
};

/**
 * Behind an ingress or a port-forward all clients have one address, so there is no limit for each. Streams are not counted: they have
 * limits of their own (streams.ts). With TLS a connection takes about 100 KiB, so those that have not proved themselves are few.
 */
export const usualConnectionLimits: ConnectionLimits & { readonly handshakeMs: number } = {
  connections: 600,
  handshakes: 200,
  stallMs: 10_000,
  handshakeMs: 10_000,
};

/** What one request needs of the server. */
export interface Desk {
  readonly router: Router;
  readonly context: Context;
  /** For those who are known, by their token. */
  readonly rate: RateLimit;
  readonly check: TokenCheck;
  readonly audit: Audit;
  readonly answers: OpenAnswers;
  readonly log: Log;
  /** For tests. */
  readonly connectionLimits?: typeof usualConnectionLimits | undefined;
}

export function createApiServer(desk: Desk): Server {
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
  const { connectionLimits = usualConnectionLimits } = desk;
  const { tls } = desk.context.credentials();
  const { handshakeMs: handshakeTimeout } = connectionLimits;
  const server = tls
    ? createTlsServer({ ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout })
    : createServer(settings);
  server.maxHeadersCount = limits.headers;
  limitConnections(server, connectionLimits, respondWith(desk));
  return server;
}

/** Nothing that is answered may be framed, guessed at, or kept by others. */
const commonHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

function respondWith(desk: Desk): Respond {
  const { log } = desk;
  return (request, response, hold) => {
    // What goes wrong with a connection concerns nobody else.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void answer(request, response, hold, desk)
      .catch((error: unknown) => {
        const reference = randomUUID();
        const problem = toProblem(error, (cause) =>
          log('error', 'The API has met an error that it does not know', { reference, why: stackOf(cause) }),
        );
        refuse(request, response, problem, reference);
      })
      .finally(() => {
        // A body that nobody wanted is not read to its end.
        if (!request.complete) request.destroy();
      });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  hold: Hold,
  desk: Desk,
): Promise<void> {
  const asked = readHead(request);
  noting(asked, desk, () => refuseRebinding(asked.headers, desk.context.credentials()));
  const match = desk.router.find(asked.method, asked.path);
  const principal = identify(asked, match.route, desk);
  if (principal) desk.answers.hold(response, principal);
  if (isChange(match.route)) noting(asked, desk, () => refuseForgery(asked.headers, principal));
  limitRate(asked, principal, desk);
  const line = desk.audit.change(asked, match, principal);
  const reply = await audited(line, async () => {
    authorise(match.route, principal);
    const call = await readCall(request, asked, match, principal, line, desk);
    return match.route.handle(call as never);
  });
  await send(request, response, reply, (source) => {
    // With a place among the streams it needs none among the connections, and not before.
    const chunks: Source['chunks'] = (...given) => {
      hold();
      return source.chunks(...given);
    };
    return desk.context.streams.write(response, principal?.token ?? asked.address, { ...source, chunks });
  });
}

const isChange = ({ method }: Route): boolean => method !== 'GET';

/** Who asks, where the route wants to have it said. */
function identify(asked: Asked, route: Route, desk: Desk): Principal | undefined {
  if (route.may === 'anybody') return undefined;
  const { address } = asked;
  const { context, check } = desk;
  const credentials = context.credentials();
  const principal = noting(asked, desk, () =>
    authenticate(asked, credentials, context.sessions, (secret) => check.find(address, secret, credentials)),
  );
  if (!principal) throw unauthorized('Say who asks: Authorization: Bearer TOKEN.');
  return principal;
}

function limitRate({ address }: Asked, principal: Principal | undefined, { rate }: Desk): void {
  const wait = rate.take(principal?.token ?? address);
  if (wait > 0) throw tooMany(wait);
}

function authorise(route: Route, principal: Principal | undefined): void {
  if (route.may === 'write' && principal?.role !== 'write')
    throw new Problem('forbidden', 'This token may look at everything and change nothing.');
}

async function readCall(
  request: IncomingMessage,
  { headers, search, secure, address }: Asked,
  { route, params }: Match,
  principal: Principal | undefined,
  { note }: AuditLine,
  { context, check }: Desk,
): Promise<Call<unknown, unknown>> {
  const query = parseQuery(route, search);
  const body = parseBody(
    route,
    isChange(route) ? await readBody(route, request) : '',
    headers['content-type'],
  );
  const findToken = (secret: string) => check.find(address, secret, context.credentials());
  return { params, query, body, headers, principal, findToken, note, secure, context };
}

/** Has a line in the log for what `act` changes, or why it does not. */
async function audited(line: AuditLine, act: () => Promise<Reply>): Promise<Reply> {
  try {
    const reply = await act();
    line.end('chunks' in reply ? 200 : (reply.status ?? 200));
    return reply;
  } catch (error) {
    const { kind, message } = toProblem(error, () => undefined);
    line.end(problemKinds[kind].status, message);
    throw error;
  }
}

/** What is thrown by `check` is said in the log too. */
function noting<T>(asked: Asked, { audit }: Desk, check: () => T): T {
  try {
    return check();
  } catch (error) {
    audit.refused(asked, messageOf(error));
    throw error;
  }
}

const tooMany = (seconds: number): Problem =>
  new Problem('too-many-requests', 'Wait a little before you ask again.', {
    headers: { 'retry-after': String(Math.ceil(seconds)) },
  });

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  write: (source: Source) => Promise<void>,
): Promise<void> {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  if ('chunks' in reply) {
    response.setHeader('content-type', reply.type);
    // What a stream needs it opens itself: for a head there is nothing to close.
    return request.method === 'HEAD' ? void response.end() : write(reply);
  }
  const body = 'json' in reply ? `${JSON.stringify(reply.json)}\n` : reply.body;
  const type = 'json' in reply ? 'application/json' : reply.type;
  response.writeHead(reply.status ?? 200, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...reply.headers,
  });
  if (request.method === 'HEAD' || reply.status === 304) response.end();
  else endWith(response, body);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  problem: Problem,
  reference: string,
): void {
  if (response.headersSent) return void response.destroy();
  const { status } = problemKinds[problem.kind];
  const members = problem.kind === 'internal' ? { instance: `urn:uuid:${reference}` } : {};
  const body = `${JSON.stringify({ ...problemBody(problem), ...members })}\n`;
  // The connection cannot be used for another request while this one's body is still on its way.
  const closing = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, {
    ...commonHeaders,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...closing,
    ...problem.extras.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
