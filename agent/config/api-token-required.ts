/** A token is required unless the API listens on a loopback address, which only processes of the pod reach. */
import { isIP } from 'node:net';
import type { SettingValues } from './configuration.ts';

export const lacksTokens = ({ api, apiTokens, apiListen }: SettingValues): boolean =>
  api === 'on' && apiTokens === undefined && !isLoopback(apiListen?.host);

/** An address or a name that is reached only from the pod itself. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined &&
  (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')));
