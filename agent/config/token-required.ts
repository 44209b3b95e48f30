import { isLoopback } from '../loopback.ts';

/** Whether the API needs tokens: everywhere but on loopback, where only this pod reaches it. */
export const isTokenRequired = (listenHost: string | undefined): boolean => !isLoopback(listenHost);
