import { isIP } from 'node:net';

/** Whether only this machine, or this pod, reaches what listens at this host. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined &&
  (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')));
