import { setFlagsFromString } from 'node:v8';

/**
 * From now on V8 optimizes nothing. An agent answers a few probes a second, for ever: what its compilers keep, 10 MiB, is never earned back
 * (measured: 600 probes leave 27.8 MiB private with them and 16.7 without). To be called when the broker is on its way; flags at the start
 * of Node.js would cost it its own code cache.
 */
export function compileLittle(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--no-maglev');
}
