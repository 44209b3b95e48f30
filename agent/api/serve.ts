/** Brings the API up on the leader, and follows its Secret while it runs. */
import { once } from 'node:events';
import type { Server as TlsServer } from 'node:https';
import { type Instant, instant } from '../clock.ts';
import type { Configuration } from '../config/configuration.ts';
import { errnoOf } from '../errors.ts';
import { createBlobCache } from '../flux/services/blob-cache.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { jobEnvironment } from '../jobs/job-environment.ts';
import type { BrokerTree } from '../jobs/nodes.ts';
import type { Log } from '../log.ts';
import { createAudit } from './audit.ts';
import { type Broker, createBroker } from './broker.ts';
import { compatibleRoutes } from './compatibility.ts';
import { createConcurrencyLimit } from './concurrency-limit.ts';
import type { Credentials } from './credentials.ts';
import { createEventHub } from './event-hub.ts';
import { type FollowedCredentials, type FollowOptions, followCredentials } from './follow-credentials.ts';
import { createIdempotency } from './idempotency.ts';
import { instanceRoutes } from './instance-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { createOpenAnswers } from './open-answers.ts';
import { type Page, pageRoutes } from './page-routes.ts';
import type { Context } from './route.ts';
import { createRouter } from './router.ts';
import { createApiServer, type Desk } from './server.ts';
import { createSessions } from './sessions.ts';
import { createStreams, type StreamLimits } from './streams.ts';
import { createTokenCheck } from './token-check.ts';

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
  /** What the probes and /status hear of it. */
  readonly podState: FollowOptions['podState'];
  readonly log: Log;
  /** For tests. */
  readonly broker?: Broker;
  readonly streamLimits?: StreamLimits;
  readonly connectionLimits?: Desk['connectionLimits'];
  readonly now?: () => Instant;
}

export interface Api {
  readonly port: number;
  readonly close: () => void;
}

/** Wrong tokens that are compared from one address at once, and each second. */
const guesses = { atOnce: 20, perSecond: 0.5 };

/** A search looks at up to 20,000 jobs. */
const searches = { most: 8, each: 2 };

export const apiRoutes = [...jobRoutes, ...instanceRoutes, ...compatibleRoutes];

/** Serves; a port that is taken costs the API, not the pod's work. */
export async function serveApi(options: ApiOptions): Promise<Api> {
  const { configuration, log, tree, version, page, socketPath, now = instant } = options;
  const { apiRate, apiListen, cluster } = configuration;
  const broker = options.broker ?? createBroker(socketPath);
  const events = createEventHub(broker, log);
  const answers = createOpenAnswers();
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
    check: createTokenCheck(createRateLimit(guesses.perSecond, guesses.atOnce, now)),
    audit: createAudit(log, now),
    answers,
    log,
    connectionLimits: options.connectionLimits,
  });
  followed = followCredentials({
    sources: configuration,
    credentials: options.credentials,
    onChange: ({ tls, tokens }) => {
      if (tls) (server as TlsServer).setSecureContext(tls);
      if (tokens) answers.endRevoked(tokens);
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
