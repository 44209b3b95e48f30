import type { BrokerProcess } from '../broker/process/broker-process.ts';
import type { FluxClient } from '../flux/client.ts';
import type { LogLine } from '../flux/services/broker-log.ts';
import type { BrokerState } from '../flux/services/state-machine.ts';
import type { Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { undrainSelf } from './drain.ts';
import { createQuorumReport } from './report-quorum.ts';
import type { WatchedBroker } from './reporting.ts';

/** The states of a broker that shuts down and can still be asked. */
const shutsDown: readonly BrokerState[] = ['shutdown', 'finalize', 'goodbye'];

export interface OwnBroker {
  readonly socket: string;
  readonly observations: Observations;
  /** Called with the broker's log when it shuts down and was not seen to run: with it goes the only place that says why. */
  readonly onShutdown: (log: Promise<readonly LogLine[]>) => void;
  /** Called with each state. */
  readonly onState: (state: BrokerState) => void;
  readonly log: Log;
}

/** How the broker that this agent has started is watched: as long as its process lives, over `socket`. */
export function ownBroker({ pid, ended }: BrokerProcess, own: OwnBroker): WatchedBroker {
  const { socket, observations, onShutdown, log } = own;
  const reportQuorum = createQuorumReport(observations, log);
  /** Of the leader's broker. */
  const onLeaderState = (state: BrokerState, client: FluxClient) => {
    reportQuorum(state);
    const ran = observations.broker?.states.some((seen) => seen.state === 'run' || seen.state === 'cleanup');
    if (shutsDown.includes(state) && !ran) onShutdown(lastLog(client, log));
  };
  return {
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
      own.onState(state);
      if (state === 'run') void undrainSelf(client, observations, log);
      if (observations.membership?.rank === 0) onLeaderState(state, client);
    },
  };
}

/** Empty where the broker is quicker. */
async function lastLog(client: FluxClient, log: Log): Promise<readonly LogLine[]> {
  try {
    const { readLog } = await import('../flux/services/broker-log.ts');
    return await readLog(client);
  } catch (error) {
    log('debug', "The broker's log could not be read", { why: String(error) });
    return [];
  }
}
