/** The API's HTTP server: who asks, how much, in what time; then the route; then the answer, or what is wrong. */
import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  authenticate,
  type Principal,
  refuseForgery,
  refuseRebinding,
  unauthorized,
} from './authenticate.ts';
import { Problem, problemBody, problemKinds, toProblem } from './problem.ts';
import { createRateLimit, type RateLimit } from './rate-limit.ts';
import { parseBody, parseQuery, readBody } from './request.ts';
import type { Context, Reply, Route } from './route.ts';
import type { Router } from './router.ts';

/** A client has this long for a request and for a pause between two, and this much room. */
const limits = {
  requestMs: 10_000,
  idleMs: 15_000,
  checkMs: 2000,
  headerBytes: 16 * 1024,
  headers: 64,
  connections: 1200,
  urlLength: 8 * 1024,
};

export interface ServerOptions {
  readonly router: Router;
  readonly context: Context;
  /** For those who are known, by their token. */
  readonly rate: RateLimit;
  /** For those who say something wrong, by their address. */
  readonly strangers: RateLimit;
  readonly log: Log;
}

/** What one request needs of the server. */
interface Desk extends ServerOptions {
  /** Tells the log who was refused for what he says of himself, or for what a page of another site made him ask. */
  readonly refused: (address: string, request: string, why: string) => void;
}

/** A guesser must not fill the log: of each address so many lines at once, and so many a second. */
const refusalLines = { atOnce: 5, perSecond: 0.2 };

function createRefusalLog(log: Log): Desk['refused'] {
  const lines = createRateLimit(refusalLines.perSecond, refusalLines.atOnce);
  return (from, request, why) => {
    if (lines.take(from) === 0) log('warn', 'API: refused', { from, request, why });
  };
}

export function createApiServer(options: ServerOptions): Server {
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
  const { tls } = options.context.credentials();
  const listener = listenerOf({ ...options, refused: createRefusalLog(options.log) });
  const server = tls
    ? createTlsServer({ ...settings, ...tls, minVersion: 'TLSv1.2' }, listener)
    : createServer(settings, listener);
  server.maxConnections = limits.connections;
  server.maxHeadersCount = limits.headers;
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

function listenerOf(options: Desk): RequestListener {
  const { log } = options;
  return (request, response) => {
    // What goes wrong with a connection concerns nobody else.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void answer(request, response, options)
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

async function answer(request: IncomingMessage, response: ServerResponse, options: Desk): Promise<void> {
  const { router, context, log } = options;
  const { method = 'GET', url = '/', headers } = request;
  if (url.length > limits.urlLength) throw new Problem('bad-request', 'The path is too long.');
  const [path = '/', search = ''] = splitOnce(url, '?');
  const address = request.socket.remoteAddress ?? '';
  const refused = (error: unknown): never => {
    options.refused(address, `${method} ${path.slice(0, 200)}`, messageOf(error));
    throw error;
  };
  /** What is thrown here is said in the log too. */
  const noting = <T>(check: () => T): T => {
    try {
      return check();
    } catch (error) {
      return refused(error);
    }
  };
  noting(() => refuseRebinding(headers, context.credentials()));
  const { route, params } = router.find(method, path);
  const changes = route.method !== 'GET';
  const principal = route.may === 'anybody' ? undefined : identify();
  if (changes) noting(() => refuseForgery(headers, principal));
  if (route.may === 'write' && principal?.role !== 'write') {
    audit(log, route, params, principal, address, 403);
    throw new Problem('forbidden', 'This token may look at everything and change nothing.');
  }
  const wait = options.rate.take(principal?.token ?? address);
  if (wait > 0) throw tooMany(wait);

  let status = 500;
  try {
    const query = parseQuery(route, search);
    const body = parseBody(route, changes ? await readBody(request) : '', headers['content-type']);
    const secure = 'encrypted' in request.socket;
    const call = { params, query, body, headers, principal, secure, context };
    const reply = await route.handle(call as never);
    status = 'stream' in reply ? 200 : (reply.status ?? 200);
    if (changes) audit(log, route, params, principal, address, status);
    await send(request, response, reply);
  } catch (error) {
    if (changes && status === 500) audit(log, route, params, principal, address, statusOf(error));
    if (error instanceof Problem && error.kind === 'unauthorized') return stranger(error);
    throw error;
  }

  function identify(): Principal {
    let principal: Principal | undefined;
    try {
      principal = authenticate(headers, context.credentials(), context.sessions);
    } catch (error) {
      return stranger(error);
    }
    if (!principal) throw unauthorized('Say who asks: Authorization: Bearer TOKEN.');
    return principal;
  }

  /** Who says something wrong waits, whoever he is, for as long as his address has done so too often. */
  function stranger(error: unknown): never {
    const wait = options.strangers.take(address);
    return refused(wait > 0 ? tooMany(wait) : error);
  }
}

const tooMany = (seconds: number): Problem =>
  new Problem('too-many-requests', 'Wait a little before you ask again.', {
    headers: { 'retry-after': String(Math.ceil(seconds)) },
  });

/** One line for every change that was asked for: who, what, from where, and what came of it. */
function audit(
  log: Log,
  { change, method, path }: Route,
  params: Readonly<Record<string, string>>,
  principal: Principal | undefined,
  from: string,
  status: number,
): void {
  if (change === undefined) return;
  const job = params.id?.replace(/[^\w]/g, '').slice(0, 24);
  log(status < 400 ? 'info' : 'warn', `API: ${change}`, {
    ...(job !== undefined && { job }),
    role: principal?.role,
    token: principal?.token,
    ...(principal?.user !== undefined && { user: principal.user }),
    from,
    request: `${method} ${path}`,
    status,
  });
}

const statusOf = (error: unknown): number => problemKinds[toProblem(error, () => undefined).kind].status;

async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  if ('stream' in reply) {
    response.setHeader('content-type', reply.type);
    if (request.method === 'HEAD') return void response.end();
    return reply.stream(response);
  }
  const body = 'json' in reply ? `${JSON.stringify(reply.json)}\n` : reply.body;
  const type = 'json' in reply ? 'application/json' : reply.type;
  response.writeHead(reply.status ?? 200, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...reply.headers,
  });
  response.end(request.method === 'HEAD' || reply.status === 304 ? undefined : body);
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

function splitOnce(text: string, separator: string): [string, string] {
  const place = text.indexOf(separator);
  return place < 0 ? [text, ''] : [text.slice(0, place), text.slice(place + 1)];
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
