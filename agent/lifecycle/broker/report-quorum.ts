import type { Membership } from '../../broker/membership.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { BrokerState } from '../../flux/services/state-machine.ts';
import type { Log } from '../../log.ts';
import type { BrokerConnection } from './connection.ts';

/** Pods of one Job that start together are online by then. */
const usualWaitMs = 5000;
/** A wait that goes on is logged again, as a follower's is. */
const remindMs = 60_000;

/** To be called with each state of the leader's broker: where the quorum takes longer than usual, the log names the missing hosts. */
export function createQuorumReport(
  configuration: Configuration,
  membership: Membership,
  online: BrokerConnection['online'],
  log: Log,
): (state: BrokerState) => void {
  let timer: NodeJS.Timeout | undefined;
  const report = async () => {
    const { quorumWait } = await import('../../health/quorum.ts');
    log('info', `Waiting for the quorum: ${quorumWait(configuration, membership, online())}`);
  };
  const repeat = () => {
    void report();
    timer = setTimeout(repeat, remindMs).unref();
  };
  return (state) => {
    clearTimeout(timer);
    if (state === 'quorum') timer = setTimeout(repeat, usualWaitMs).unref();
  };
}
