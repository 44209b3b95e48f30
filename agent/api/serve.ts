/** Brings the API up on the leader, and follows its Secret while it runs. */
import { once } from 'node:events';
import type { Server as TlsServer } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { watch } from 'chokidar';
import type { Configuration } from '../config/resolve.ts';
import { errnoOf, messageOf } from '../errors.ts';
import { type Instant, instant } from '../instant.ts';
import type { Log } from '../log.ts';
import { createAudit } from './audit.ts';
import { type Broker, createBroker } from './broker.ts';
import { compatibleRoutes } from './compatibility.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { createEventHub } from './event-hub.ts';
import { createIdempotency } from './idempotency.ts';
import { instanceRoutes } from './instance-routes.ts';
import { jobEnvironment } from './job-environment.ts';
import { jobRoutes } from './job-routes.ts';
import type { BrokerTree } from './nodes.ts';
import { type Page, pageRoutes } from './page-routes.ts';
import { createRateLimit } from './rate-limit.ts';
import type { Context } from './route.ts';
import { createRouter } from './router.ts';
import { createApiServer } from './server.ts';
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
  readonly log: Log;
  /** For tests. */
  readonly broker?: Broker;
  readonly streamLimits?: StreamLimits;
  readonly now?: () => Instant;
}

export interface Api {
  readonly port: number;
  readonly close: () => void;
}

/** Wrong tokens that are compared from one address at once, and each second. */
const guesses = { atOnce: 20, perSecond: 0.5 };

export const apiRoutes = [...jobRoutes, ...instanceRoutes, ...compatibleRoutes];

/** Serves; a port that is taken costs the API, not the pod's work. */
export async function serveApi(options: ApiOptions): Promise<Api> {
  const { configuration, log, tree, version, page, socketPath, now = instant } = options;
  const { apiRate, apiListen, cluster } = configuration;
  let credentials = options.credentials;
  const broker = options.broker ?? createBroker(socketPath);
  const events = createEventHub(broker, log);
  const context: Context = {
    broker,
    cluster,
    version,
    tree,
    environment: jobEnvironment(options.environment),
    directory: process.cwd(),
    credentials: () => credentials,
    sessions: createSessions(now),
    submissions: createIdempotency(),
    streams: createStreams(options.streamLimits),
    events,
  };
  const server = createApiServer({
    context,
    router: createRouter([...apiRoutes, ...pageRoutes(page, apiRoutes, version)]),
    rate: createRateLimit(apiRate, 2 * apiRate, now),
    check: createTokenCheck(createRateLimit(guesses.perSecond, guesses.atOnce, now)),
    audit: createAudit(log, now),
    log,
  });
  const reread = () => {
    try {
      const fresh = readCredentials(configuration);
      if (isDeepStrictEqual(fresh, credentials)) return;
      credentials = fresh;
      if (credentials.tls) (server as TlsServer).setSecureContext(credentials.tls);
      log('info', 'The API uses the tokens and certificates as they are now', {
        tokens: credentials.tokens?.map(({ id, role }) => `${role} ${id}`),
      });
    } catch (error) {
      log('warn', 'The API goes on with the tokens and certificates it had', { why: messageOf(error) });
    }
  };
  const unwatch = watchFiles(configuration, reread);
  try {
    server.listen({ host: apiListen.host, port: apiListen.port });
    await once(server, 'listening');
    const tokens = credentials.tokens?.length ?? 'none: loopback only';
    log('info', 'The API is served', {
      at: `${apiListen.host}:${apiListen.port}`,
      tokens,
      tls: !!credentials.tls,
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
      unwatch();
      events.close();
      server.close();
      server.closeAllConnections();
      broker.close();
    },
  };
}

/** The kubelet swaps all files of a mount at once, and says so more than once. */
const settleMs = 200;

function watchFiles({ apiTokens, apiTlsCert, apiTlsKey }: Configuration, act: () => void): () => void {
  const paths = [apiTokens, apiTlsCert, apiTlsKey].filter((path) => path !== undefined);
  if (paths.length === 0) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(paths, { ignoreInitial: true, depth: 1 });
  const actSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(act, settleMs);
  };
  // What has changed before the watch began is noticed when it has.
  watcher.on('all', actSoon).on('ready', actSoon);
  watcher.on('error', () => undefined);
  return () => {
    clearTimeout(timer);
    void watcher.close();
  };
}
