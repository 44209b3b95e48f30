import { isIPv4, isIPv6 as isWholeIPv6 } from 'node:net';
import { isIPv6 } from './address.ts';

/**
 * What net.isIP says of its first argument, without its regular expression for IPv6, which takes long to compile, where there is no colon.
 */
export const addressFamily = (host: string): 0 | 4 | 6 =>
  isIPv6(host) ? (isWholeIPv6(host) ? 6 : 0) : isIPv4(host) ? 4 : 0;
