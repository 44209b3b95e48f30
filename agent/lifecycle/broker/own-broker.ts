import type { Membership } from '../../broker/membership.ts';
import type { BrokerProcess } from '../../broker/process/broker-process.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { FluxClient } from '../../flux/client.ts';
import type { LogLine } from '../../flux/services/broker-log.ts';
import type { BrokerState } from '../../flux/services/state-machine.ts';
import type { Log } from '../../log.ts';
import { undrainSelf } from '../stop/drain.ts';
import type { BrokerConnection, WatchedBroker } from './connection.ts';
import { createQuorumReport } from './report-quorum.ts';

/** The states of a broker that shuts down and still answers. */
const shutsDown: readonly BrokerState[] = ['shutdown', 'finalize', 'goodbye'];

export interface OwnBroker {
  readonly socket: string;
  readonly configuration: Configuration;
  readonly membership: Membership;
  readonly connection: Pick<BrokerConnection, 'online'>;
  /** Called with the log of a leader's broker that shuts down and has not run: the reason is nowhere else, and the log ends with the broker. */
  readonly onShutdown: (log: Promise<readonly LogLine[]>) => void;
  /** Called with each state. */
  readonly onState: (state: BrokerState) => void;
  /** Aborted when the pod stops. */
  readonly stop: AbortSignal;
  readonly log: Log;
}

/** The broker that this agent has started: watched as long as its process lives, over `socket`. */
export function ownBroker({ pid, ended }: BrokerProcess, own: OwnBroker): WatchedBroker {
  const { socket, configuration, membership, connection, onShutdown, stop, log } = own;
  const leads = membership.rank === 0;
  const reportQuorum = createQuorumReport(configuration, membership, connection.online, log);
  let ran = false;
  const onLeaderState = (state: BrokerState, client: FluxClient) => {
    reportQuorum(state);
    ran ||= state === 'run' || state === 'cleanup';
    if (shutsDown.includes(state) && !ran) onShutdown(lastLog(client, log));
  };
  return {
    pid,
    leads,
    ended,
    // Loaded only when the broker is on its way.
    connect: async (signal) => {
      const [{ connectFlux }, { waitForSocket }] = await Promise.all([
        import('../../flux/client.ts'),
        import('./wait-for-socket.ts'),
      ]);
      return waitForSocket([socket], { attempt: (path) => connectFlux(path, { signal }), signal });
    },
    onState: (state, client) => {
      own.onState(state);
      if (state === 'run') void undrainSelf(client, membership.rank, { stop, log });
      if (leads) onLeaderState(state, client);
    },
  };
}

/** Empty where the broker exits before it answers. */
async function lastLog(client: FluxClient, log: Log): Promise<readonly LogLine[]> {
  try {
    const { readLog } = await import('../../flux/services/broker-log.ts');
    return await readLog(client);
  } catch (error) {
    log('debug', "The broker's log could not be read", { why: String(error) });
    return [];
  }
}
