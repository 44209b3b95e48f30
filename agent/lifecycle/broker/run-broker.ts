/** One broker process of this pod, from its start to its exit. Decides nothing: it feeds events to the machine. */

import type { HostPort } from '../../address.ts';
import { type BrokerProcess, startBroker } from '../../broker/process/broker-process.ts';
import { findProgram } from '../../broker/process/process-table.ts';
import type { LogLine } from '../../flux/services/broker-log.ts';
import { failedOutcome } from '../exit/outcome.ts';
import type { Event } from '../machine.ts';
import type { Supervised } from '../supervised.ts';
import { ownBroker } from './own-broker.ts';
import { explainExit, watchSocket } from './start-failure.ts';

type Feed = (event: Event) => void;

/**
 * Starts the broker, to connect to `parent` where it is a follower's, unless `cancelled` aborts before. The events are `broker not started`, or
 * `broker started` and in the end `broker exited`.
 */
export async function runBroker(
  parent: HostPort | undefined,
  cancelled: AbortSignal,
  of: Supervised,
  feed: Feed,
  onStart: (broker: BrokerProcess) => void,
): Promise<void> {
  const { configuration, pod, signals, lifecycle, connection, log } = of;
  let madeSocket = () => false;
  let broker: BrokerProcess;
  try {
    if (parent) pointTo(parent, of);
    await renewCertificate(of);
    cancelled.throwIfAborted();
    madeSocket = watchSocket(pod.directory.socket);
    broker = await startBroker(pod.flux, pod.brokerArguments, pod.environment, of.terminal);
  } catch (error) {
    const outcome = error === cancelled.reason ? undefined : failedOutcome(error);
    return feed({ kind: 'broker not started', outcome });
  }
  onStart(broker);
  const { pid, signal: pass } = broker;
  const program = () => (pod.membership.rank === 0 ? runningProgram(pid, of) : undefined);
  signals.forwardTo({ program, pass });
  feed({ kind: 'broker started' });
  let lastLog: Promise<readonly LogLine[]> | undefined;
  const watched = ownBroker(broker, {
    socket: pod.directory.socket,
    configuration,
    membership: pod.membership,
    connection,
    onShutdown: (log) => {
      lastLog ??= log;
    },
    onState: (state) => feed({ kind: 'broker state', state }),
    stop: signals.stop,
    log,
  });
  try {
    lifecycle.enter('broker', { pid, flux: pod.flux });
    void connection.keep(watched);
    await pod.certificate?.check();
  } catch (error) {
    feed({ kind: 'failed', outcome: failedOutcome(error) });
  }
  const ending = await broker.ended;
  signals.forwardTo(undefined);
  broker.kill();
  log('info', 'The broker has exited', {
    code: ending.code,
    ...(ending.signal && { signal: ending.signal }),
  });
  const trace = { madeSocket: madeSocket(), log: (await lastLog) ?? [] };
  const failure = await explainExit(ending, configuration, pod.membership, trace).then(
    () => undefined,
    failedOutcome,
  );
  feed({ kind: 'broker exited', ending, failure });
}

function pointTo(parent: HostPort, { pod, podState }: Supervised): void {
  podState.set({ parentAddress: parent });
  pod.writeBrokerToml(parent);
}

async function renewCertificate({ pod, podState, log }: Supervised): Promise<void> {
  const renewed = await pod.certificate?.renew();
  if (!renewed) return;
  log('warn', renewed);
  podState.warn(renewed);
}

/** The process id of the leader's program, from its start to its exit. */
const runningProgram = (broker: number, { connection }: Supervised): number | undefined =>
  findProgram(broker, connection.state() === 'run');
