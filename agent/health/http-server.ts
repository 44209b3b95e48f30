/**
 * Serves probes, status and metrics over HTTP: on the port for the kubelet and Prometheus, and on a private local socket for
 * `flux-pod status` and its like, which also works where the port is switched off.
 */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { HostPort } from '../address.ts';
import { errnoOf } from '../errors.ts';
import {
  type ConnectionLimits,
  type Hold as HoldConnection,
  limitConnections,
} from '../http/connection-limits.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import type { Log } from '../log.ts';
import { type Answer, answer, isProbe, json, type Sources } from './responses.ts';
import { shareAnswer } from './share-answer.ts';

/** A client has this long for a request and for a pause between two, and this much room. */
const limits = { requestMs: 5000, idleMs: 10_000, headerBytes: 8192, headers: 64 };

/** The kubelet and Prometheus need one connection each; who has more of them closes his own. */
const connectionLimits: ConnectionLimits = {
  connections: 512,
  perAddress: 16,
  stallMs: 10_000,
  answerMs: 10_000,
};

/** So many answers a second one client has that are not probes, and so many at once. */
const rate = { perSecond: 50, atOnce: 100 };

/** For as long an answer counts for all that ask: of Flux's job states, and of `/status` and `/metrics` as a whole. */
const reuseMs = { jobStates: 1000, answers: 100 };

/**
 * Serves further paths, such as the parent links': true where the request is for one of them. A connection that it calls `hold` for is not
 * counted and has no deadline until its response has ended.
 */
export type Extension = (request: IncomingMessage, response: ServerResponse, hold: HoldConnection) => boolean;

export interface HealthServer {
  readonly close: () => void;
}

/** Of a pod that has failed and is held (FLUX_POD_ON_FAILURE=hold). */
export interface Hold {
  readonly isHeld: () => boolean;
  readonly release: () => void;
}

export interface ServeOptions extends Sources {
  readonly http: HostPort | 'off';
  /** Undefined where there is no directory for it. */
  readonly socketPath: string | undefined;
  /** Of the port; the local socket has none. */
  readonly extension?: Extension | undefined;
  /** For `POST /release` on the local socket; undefined where the pod is never held. */
  readonly hold?: Hold | undefined;
  readonly log: Log;
}

export async function serveHealth(options: ServeOptions): Promise<HealthServer> {
  const { http, socketPath, extension, log } = options;
  // On the local socket all clients are of one user, and have no address.
  const { perAddress: _, ...localLimits } = connectionLimits;
  const get = getAnswer(options);
  const local = httpServer(localLimits, localAnswer(get, options));
  const remote = httpServer(connectionLimits, rateLimited(get), extension);
  if (socketPath !== undefined) {
    rmSync(socketPath, { force: true });
    await listen(local, { path: socketPath }, log);
  }
  if (http !== 'off') await listen(remote, http, log);
  return {
    close: () => {
      for (const server of [local, remote]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

/** A port that is taken costs the probes, not the pod's work. */
async function listen(server: Server, where: HostPort | { path: string }, log: Log): Promise<void> {
  try {
    // Only this user may connect to the local socket: its directory is private, and so is the socket.
    const mask = process.umask(0o077);
    server.listen(where);
    process.umask(mask);
    await once(server, 'listening');
  } catch (error) {
    const place = 'path' in where ? where.path : `${where.host}:${where.port}`;
    log('error', `Cannot serve probes and status at ${place}: ${errnoOf(error) ?? error}`, {
      hint: 'Set FLUX_POD_HTTP to another HOST:PORT, or to off.',
    });
  }
}

function httpServer(
  limitsOfConnections: ConnectionLimits,
  respond: Get,
  extension: Extension = () => false,
): Server {
  const server = createServer({
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: limits.requestMs,
    maxHeaderSize: limits.headerBytes,
  });
  server.maxHeadersCount = limits.headers;
  limitConnections(server, limitsOfConnections, (request, response, hold) => {
    if (extension(request, response, hold)) return;
    request.resume();
    respond(request)
      .catch((error: unknown): Answer => json(500, { error: String(error) }))
      .then(({ status, type, body, headers }) => {
        response.writeHead(status, {
          'content-type': type,
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
          ...headers,
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
  });
  return server;
}

/** A client that has released the pod has this long to read the response. */
const releasedWithinMs = 2000;

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0] ?? '/';

type Get = (request: IncomingMessage) => Promise<Answer>;

function getAnswer(sources: Sources): Get {
  const shared = { ...sources, jobStates: shareAnswer(sources.jobStates, reuseMs.jobStates) };
  // What waits for many readers is one buffer.
  const whole = (path: string) =>
    shareAnswer(async () => buffered(await answer(path, shared)), reuseMs.answers);
  const answers = new Map(['/status', '/metrics'].map((path) => [path, whole(path)]));
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return json(405, { error: `${request.method} is not allowed here: use GET` });
    const path = pathOf(request);
    const found = await (answers.get(path)?.() ?? answer(path, shared));
    return found ?? json(404, { error: 'expected /startupz, /livez, /readyz, /status or /metrics' });
  };
}

const buffered = (found: Answer | undefined): Answer | undefined =>
  found && { ...found, body: Buffer.from(found.body) };

/** Probes are never refused: the kubelet may have the same address as others. That they cost little is their limit. */
function rateLimited(get: Get): Get {
  const limit = createRateLimit(rate.perSecond, rate.atOnce);
  return async (request) => {
    const wait = isProbe(pathOf(request)) ? 0 : limit.take(request.socket.remoteAddress ?? '');
    if (wait === 0) return get(request);
    const headers = { 'retry-after': String(Math.ceil(wait)) };
    return { ...json(429, { error: `ask at most ${rate.perSecond} times a second` }), headers };
  };
}

const localAnswer =
  (get: Get, { hold }: ServeOptions): Get =>
  async (request) => {
    if (request.method !== 'POST' || pathOf(request) !== '/release') return get(request);
    if (!hold?.isHeld()) return json(409, { error: 'this pod is not held' });
    // The exit of the pod also kills the client, which is to have read and shown the response before.
    const timer = setTimeout(hold.release, releasedWithinMs);
    request.socket.once('close', () => {
      clearTimeout(timer);
      hold.release();
    });
    return json(200, { released: true });
  };
