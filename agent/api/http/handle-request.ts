/** One request from its head to its answer. Each step throws an HttpProblem where the request fails it; the HttpProblem is then the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../../errors.ts';
import type { Hold } from '../../http/connection-limits.ts';
import type { RateLimit } from '../../http/rate-limit.ts';
import type { Log } from '../../log.ts';
import { authenticate, type Principal, unauthorized } from '../auth/authenticate.ts';
import { refuseForgery, refuseRebinding } from '../auth/forgery.ts';
import type { OpenAnswers } from '../auth/open-answers.ts';
import type { TokenCheck } from '../auth/token-check.ts';
import type { Context } from '../context.ts';
import { HttpProblem, problemKinds, toProblem } from '../problem.ts';
import type { Audit, AuditLine } from './audit.ts';
import type { Match, Router } from './find-route.ts';
import { parseBody, parsePath, parseQuery, type RequestHead, readBody, readHead } from './request.ts';
import type { Call, Reply, Route } from './route.ts';
import { sendReply } from './send-reply.ts';
import type { Source } from './streams.ts';

/** What the steps need of the server. */
export interface RequestServices {
  readonly router: Router;
  readonly context: Context;
  /** By token, and by address where the route needs none. */
  readonly rate: RateLimit;
  readonly tokenCheck: TokenCheck;
  readonly audit: Audit;
  readonly openAnswers: OpenAnswers;
  readonly log: Log;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly hold: Hold;
}

export async function handleRequest(exchange: Exchange, services: RequestServices): Promise<void> {
  const head = readHead(exchange.request);
  checkHost(head, services);
  const match = services.router.find(head.method, head.path);
  const principal = identify(head, match.route, services);
  bindToToken(exchange, principal, services);
  checkOrigin(head, match.route, principal, services);
  checkRate(head, principal, services);
  const line = services.audit.change(head, match, principal);
  const reply = await audited(line, async () => {
    authorise(match.route, principal);
    const call = await readCall(exchange, head, match, principal, line, services);
    return match.route.handle(call as never);
  });
  await sendReply(exchange, reply, (source) => writeStream(exchange, head, principal, source, services));
}

function checkHost(head: RequestHead, services: RequestServices): void {
  loggingRefusal(head, services, () => refuseRebinding(head.headers, services.context.credentials()));
}

/** The principal, where the route needs one. */
function identify(head: RequestHead, route: Route, services: RequestServices): Principal | undefined {
  if (route.role === 'none') return undefined;
  const { context, tokenCheck } = services;
  const credentials = context.credentials();
  const findToken = (secret: string) => tokenCheck.find(head.address, secret, credentials);
  const principal = loggingRefusal(head, services, () =>
    authenticate(head, credentials, context.sessions, findToken),
  );
  if (!principal)
    throw unauthorized('The request has no credentials: Authorization: Bearer TOKEN is expected.');
  return principal;
}

/** An answer that is under way ends when its token is revoked. */
function bindToToken(
  { response }: Exchange,
  principal: Principal | undefined,
  { openAnswers }: RequestServices,
): void {
  if (principal) openAnswers.hold(response, principal);
}

const isChange = ({ method }: Route): boolean => method !== 'GET';

function checkOrigin(
  head: RequestHead,
  route: Route,
  principal: Principal | undefined,
  services: RequestServices,
): void {
  if (isChange(route)) loggingRefusal(head, services, () => refuseForgery(head.headers, principal));
}

function checkRate(
  { address }: RequestHead,
  principal: Principal | undefined,
  { rate }: RequestServices,
): void {
  const waitSeconds = rate.take(principal?.token ?? address);
  if (waitSeconds > 0)
    throw new HttpProblem('too-many-requests', 'The rate limit is reached: see Retry-After.', {
      headers: { 'retry-after': String(Math.ceil(waitSeconds)) },
    });
}

function authorise(route: Route, principal: Principal | undefined): void {
  if (route.role === 'write' && principal?.role !== 'write')
    throw new HttpProblem('forbidden', 'The token has the role read, and this request needs write.');
}

async function readCall(
  { request, response }: Exchange,
  { headers, search, secure, address }: RequestHead,
  { route, params: texts }: Match,
  principal: Principal | undefined,
  { note }: AuditLine,
  { context, tokenCheck }: RequestServices,
): Promise<Call<unknown, unknown, unknown>> {
  const query = parseQuery(route, search);
  const text = isChange(route) ? await readBody(route, request) : '';
  const body = parseBody(route, text, headers['content-type']);
  const params = parsePath(route, texts);
  const findToken = (secret: string) => tokenCheck.find(address, secret, context.credentials());
  return {
    params,
    query,
    body,
    headers,
    principal,
    findToken,
    note,
    secure,
    get signal() {
      return untilClosed(response);
    },
    context,
  };
}

/** Made where it is asked for: most requests have ended before their client could go. */
function untilClosed(response: ServerResponse): AbortSignal {
  const closed = new AbortController();
  const abort = () => closed.abort(new HttpProblem('unavailable', 'The client has closed the connection.'));
  if (response.destroyed) abort();
  else response.once('close', abort);
  return closed.signal;
}

/** A stream takes its place among the streams, and then none among the connections. */
function writeStream(
  { response, hold }: Exchange,
  { address }: RequestHead,
  principal: Principal | undefined,
  source: Source,
  { context }: RequestServices,
): Promise<void> {
  const chunks: Source['chunks'] = (...given) => {
    hold();
    return source.chunks(...given);
  };
  return context.streams.write(response, principal?.token ?? address, { ...source, chunks });
}

/** Ends the log line of a change with the status, or with the reason why nothing was changed. */
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

/** Logs what `check` throws. */
function loggingRefusal<T>(head: RequestHead, { audit }: RequestServices, check: () => T): T {
  try {
    return check();
  } catch (error) {
    audit.refused(head, messageOf(error));
    throw error;
  }
}
