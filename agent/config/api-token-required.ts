/** A token is required unless the API listens on a loopback address, which only processes of the pod reach. */
import { isLoopback } from '../address.ts';
import type { SettingValues } from './configuration.ts';

export const lacksTokens = ({ api, apiTokens, apiListen }: SettingValues): boolean =>
  api === 'on' && apiTokens === undefined && !isLoopback(apiListen?.host);
