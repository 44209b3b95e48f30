import { isLoopback, parseHostPort } from '../../../agent/address.ts';
import type { MiniClusterContainer } from './schema.ts';

/** The default of FLUX_POD_API_LISTEN. */
const usualPort = 8052;

/**
 * The port of the REST API, where the environment of the container that runs Flux enables it; undefined where it does not, and where only the
 * pod itself reaches the API, or nobody knows the port (0: any).
 */
export function apiPortOf({ environment = {} }: MiniClusterContainer): number | undefined {
  if (environment.FLUX_POD_API !== 'on') return undefined;
  if (environment.FLUX_POD_API_LISTEN === undefined) return usualPort;
  const listen = parseHostPort(environment.FLUX_POD_API_LISTEN, usualPort);
  return isLoopback(listen?.host) ? undefined : listen?.port || undefined;
}
