/** What of the API comes before the broker's start: its credentials are checked. The rest is loaded when the broker is on its way. */
import type { Configuration } from '../config/configuration.ts';
import type { PodStateWriter } from '../health/pod-state.ts';
import type { BrokerTree } from '../jobs/nodes.ts';
import type { Log } from '../log.ts';
import { readCredentials } from './credentials.ts';
import type { Api } from './serve.ts';

export interface PreparedApi {
  /** Begins to serve; calls after the first do nothing. */
  readonly serve: () => Promise<void>;
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
  const begin = async (): Promise<Api> => {
    const [{ serveApi }, { page }, { default: packageJson }] = await Promise.all([
      import('./serve.ts'),
      import('./built-page.ts'),
      import('../../package.json', { with: { type: 'json' } }),
    ]);
    return serveApi({ ...options, credentials, version: packageJson.version, page });
  };
  return {
    serve: async () => {
      api ??= begin();
      await api.catch((error) => log('error', 'Cannot serve the API', { why: String(error) }));
    },
    close: () => {
      void api?.then((served) => served.close()).catch(() => undefined);
    },
  };
}
