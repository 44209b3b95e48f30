/** The part of the API before the broker's start: its credentials are checked. The rest is loaded after the start. */
import type { Configuration } from '../config/configuration.ts';
import type { PodStateWriter } from '../health/pod-state.ts';
import type { BrokerTree } from '../jobs/nodes.ts';
import type { Log } from '../log.ts';
import { readCredentials } from './auth/credentials.ts';
import type { Api, ApiOptions } from './serve.ts';

export interface PreparedApi {
  /** Begins to serve; calls after the first do nothing. */
  readonly serve: (sources: Pick<ApiOptions, 'demand'>) => Promise<void>;
  readonly close: () => void;
}

export interface PrepareOptions {
  readonly configuration: Configuration;
  /** The broker's local socket. */
  readonly socketPath: string;
  readonly tree: BrokerTree;
  /** The pod's environment: jobs inherit it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly podState: PodStateWriter;
  readonly log: Log;
}

/** Throws a PodError (exit 78) where the tokens or the certificate cannot be used. */
export function prepareApi(options: PrepareOptions): PreparedApi {
  const { configuration, log } = options;
  const credentials = readCredentials(configuration);
  let api: Promise<Api> | undefined;
  const begin = async (sources: Pick<ApiOptions, 'demand'>): Promise<Api> => {
    const [{ serveApi }, { page }, { default: packageJson }] = await Promise.all([
      import('./serve.ts'),
      import('./built-page.ts'),
      import('../../package.json', { with: { type: 'json' } }),
    ]);
    return serveApi({ ...options, ...sources, credentials, version: packageJson.version, page });
  };
  return {
    serve: async (sources) => {
      api ??= begin(sources);
      await api.catch((error) => log('error', 'Cannot serve the API', { why: String(error) }));
    },
    close: () => {
      void api?.then((served) => served.close()).catch(() => undefined);
    },
  };
}
