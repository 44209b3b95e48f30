import type { BrokerProcess } from '../broker/process.ts';
import type { Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { undrainSelf } from './drain.ts';
import type { WatchedBroker } from './reporting.ts';

/** How the broker that this agent has started is watched: as long as its process lives, over `socket`. */
export const ownBroker = (
  { pid, ended }: BrokerProcess,
  socket: string,
  observations: Observations,
  log: Log,
): WatchedBroker => ({
  pid,
  ended,
  // Loaded only when the broker is on its way.
  connect: async (signal) => {
    const [{ connectFlux }, { whenThere }] = await Promise.all([
      import('../flux/client.ts'),
      import('../health/when-there.ts'),
    ]);
    return whenThere([socket], { attempt: (path) => connectFlux(path, { signal }), signal });
  },
  onState: (state, client) => {
    if (state === 'run') void undrainSelf(client, observations, log);
  },
});
