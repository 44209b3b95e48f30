import { createConnection } from 'node:net';
import { errnoOf } from '../errors.ts';

/** The outcome of a connection attempt: `accepted`, `refused`, `no reply`, or the errno's name. */
export type Connected = 'accepted' | 'refused' | 'no reply' | (string & {});

/**
 * A SYN to a dead pod's address is dropped, not refused. A living one answers within milliseconds; the kernel sends a lost SYN again
 * only after 1 s (RFC 6298), so a retry is the quicker way to have it sent again.
 */
const timeoutMs = 500;

/** Tries to connect. The connection is closed at once. */
export function connect(address: string, port: number, signal: AbortSignal): Promise<Connected> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port, signal });
    const finish = (connected: Connected) => {
      resolve(connected);
      socket.destroy();
    };
    socket.setTimeout(timeoutMs, () => finish('no reply'));
    socket.once('connect', () => finish('accepted'));
    socket.on('error', (error) => {
      const code = errnoOf(error);
      finish(code === 'ECONNREFUSED' ? 'refused' : (code ?? error.message));
    });
  });
}
