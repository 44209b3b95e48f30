/** The part of the API before the broker's start: its credentials are checked. The rest is loaded after the start. */
import type { Configuration } from '../config/configuration.ts';
import type { PodStateWriter } from '../health/pod-state.ts';
import type { PreparedPod } from '../lifecycle/prepare/prepare-pod.ts';
import type { Log } from '../log.ts';
import { readCredentials } from './auth/credentials.ts';
import type { Api } from './serve.ts';

export interface PreparedApi {
  /** Begins to serve; calls after the first do nothing. */
  readonly serve: () => Promise<void>;
  readonly close: () => void;
}

export interface PrepareOptions {
  readonly configuration: Configuration;
  readonly pod: PreparedPod;
  readonly podState: PodStateWriter;
  readonly log: Log;
}

/** Throws a PodError (exit 78) where the tokens or the certificate cannot be used. */
export function prepareApi({ configuration, pod, podState, log }: PrepareOptions): PreparedApi {
  const credentials = readCredentials(configuration);
  let api: Promise<Api> | undefined;
  const begin = async (): Promise<Api> => {
    const [{ serveApi }, { page }, { default: packageJson }] = await Promise.all([
      import('./serve.ts'),
      import('./built-page.ts'),
      import('../../package.json', { with: { type: 'json' } }),
    ]);
    return serveApi({
      configuration,
      credentials,
      socketPath: pod.directory.socket,
      tree: pod.membership.tree,
      environment: pod.environment,
      version: packageJson.version,
      page,
      podState,
      log,
    });
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
