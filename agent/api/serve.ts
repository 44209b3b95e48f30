/** Starts the API on the leader, and follows its Secret while it runs. */
import { once } from 'node:events';
import type { Server as TlsServer } from 'node:https';
import { type Instant, instant } from '../clock.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Demand } from '../demand/demand.ts';
import { errnoOf } from '../errors.ts';
import { createBlobCache } from '../flux/services/eventlog/blob-cache.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { jobEnvironment } from '../jobs/job-environment.ts';
import type { BrokerTree } from '../jobs/nodes.ts';
import type { Log } from '../log.ts';
import type { Credentials } from './auth/credentials.ts';
import {
  type FollowedCredentials,
  type FollowOptions,
  followCredentials,
} from './auth/follow-credentials.ts';
import { createOpenAnswers } from './auth/open-answers.ts';
import { createSessions } from './auth/sessions.ts';
import { createTokenCheck } from './auth/token-check.ts';
import { type BrokerConnections, createBrokerConnections } from './broker-connections.ts';
import type { Context } from './context.ts';
import { createEventHub } from './event-hub.ts';
import { type ApiServerOptions, createApiServer } from './http/api-server.ts';
import { createAudit } from './http/audit.ts';
import { createConcurrencyLimit } from './http/concurrency-limit.ts';
import { createRouter } from './http/find-route.ts';
import { createIdempotency } from './http/idempotency.ts';
import { createStreams, type StreamLimits } from './http/streams.ts';
import { apiRoutes } from './routes/api-routes.ts';
import { type Page, pageRoutes } from './routes/page-routes.ts';

export interface ApiOptions {
  readonly configuration: Configuration;
  readonly credentials: Credentials;
  /** The broker's local socket. */
  readonly socketPath: string;
  readonly tree: BrokerTree;
  /** The pod's environment: jobs inherit it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  readonly page: Page;
  /** Of the queue; undefined while it is not known, and where it is not watched. */
  readonly demand?: () => Demand | undefined;
  /** Written for the probes and /status. */
  readonly podState: FollowOptions['podState'];
  readonly log: Log;
  /** For tests. */
  readonly broker?: BrokerConnections;
  readonly streamLimits?: StreamLimits;
  readonly connectionLimits?: ApiServerOptions['connectionLimits'];
  readonly now?: () => Instant;
}

export interface Api {
  readonly port: number;
  readonly close: () => void;
}

/** Wrong tokens of one address that are compared at once, and each second. */
const guesses = { atOnce: 20, perSecond: 0.5 };

/** A search reads up to 20,000 jobs. */
const searches = { most: 8, each: 2 };

/** Serves the API. A port in use is logged: the pod's work goes on without the API. */
export async function serveApi(options: ApiOptions): Promise<Api> {
  const { configuration, log, tree, version, page, socketPath, now = instant } = options;
  const { apiRate, apiListen, cluster } = configuration;
  const broker = options.broker ?? createBrokerConnections(socketPath);
  const events = createEventHub(broker, log, options.demand);
  const openAnswers = createOpenAnswers();
  let followed: FollowedCredentials | undefined;
  const context: Context = {
    broker,
    cluster,
    version,
    tree,
    environment: jobEnvironment(options.environment),
    directory: process.cwd(),
    credentials: () => followed?.now() ?? options.credentials,
    sessions: createSessions(now),
    submissions: createIdempotency(),
    streams: createStreams(options.streamLimits),
    searches: createConcurrencyLimit('searches', searches),
    blobs: createBlobCache(),
    events,
  };
  const server = createApiServer({
    context,
    router: createRouter([...apiRoutes, ...pageRoutes(page, apiRoutes, version)]),
    rate: createRateLimit(apiRate, 2 * apiRate, now),
    tokenCheck: createTokenCheck(createRateLimit(guesses.perSecond, guesses.atOnce, now)),
    audit: createAudit(log, now),
    openAnswers,
    log,
    connectionLimits: options.connectionLimits,
  });
  followed = followCredentials({
    sources: configuration,
    credentials: options.credentials,
    onChange: ({ tls, tokens }) => {
      if (tls) (server as TlsServer).setSecureContext(tls);
      if (tokens) openAnswers.endRevoked(tokens);
    },
    podState: options.podState,
    log,
  });
  try {
    server.listen({ host: apiListen.host, port: apiListen.port });
    await once(server, 'listening');
    const { tokens: list, tls } = context.credentials();
    const tokens = list?.length ?? 'none: loopback only';
    log('info', 'The API is served', {
      at: `${apiListen.host}:${apiListen.port}`,
      tokens,
      tls: !!tls,
    });
  } catch (error) {
    log('error', `Cannot serve the API at ${apiListen.host}:${apiListen.port}: ${errnoOf(error) ?? error}`, {
      hint: 'Set FLUX_POD_API_LISTEN to another HOST:PORT.',
    });
  }
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () => {
      followed?.close();
      events.close();
      server.close();
      server.closeAllConnections();
      broker.close();
    },
  };
}
