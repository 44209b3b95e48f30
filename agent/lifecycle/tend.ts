/** One broker after the other of this pod: started, told to the world, tended until its end. */
import { type BrokerProcess, type Ending, startBroker } from '../broker/process.ts';
import type { LogLine } from '../flux/services/log.ts';
import { addRemark, type Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import type { Lifecycle } from '../pod/phase.ts';
import { explainEnding, watchSocket } from './explain-ending.ts';
import { ownBroker } from './own-broker.ts';
import type { PreparedPod } from './prepare.ts';
import type { Reporting } from './reporting.ts';
import type { Signals } from './signals.ts';
import type { BrokerTrace } from './start-failure.ts';
import { followerTarget, leaderTarget } from './stop.ts';
import type { Reread } from './watch-mounts.ts';

/** A broker that has been started: what became of it in the end is told by `ended`. */
export interface StartedBroker {
  readonly process: BrokerProcess;
  readonly ended: Promise<Ending>;
}

export interface Tending {
  readonly pod: PreparedPod;
  /** Whether standard input is one. */
  readonly terminal: boolean;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly observations: Observations;
  readonly reporting: Reporting;
  readonly reread: Reread;
  readonly log: Log;
}

/** Starts a broker. `parentStops` is fulfilled when the parent was asked to stop: its children then leave before it. */
export async function tendBroker(tending: Tending, parentStops: Promise<void>): Promise<StartedBroker> {
  const { pod, terminal, signals, lifecycle, observations, reporting, log } = tending;
  const renewed = await pod.certificate?.renew();
  if (renewed) {
    log('warn', renewed);
    addRemark(observations, renewed);
  }
  signals.stop.throwIfAborted();
  const madeSocket = watchSocket(pod.directory.socket);
  const broker = await startBroker(pod.flux, pod.brokerArguments, pod.environment, terminal);
  lifecycle.enter('broker', { pid: broker.pid, flux: pod.flux });
  const { socket } = pod.directory;
  const { client, parentLinks } = reporting;
  const stopping = { broker, observations, parentLinks, client, parentStops, log };
  signals.forwardTo(pod.membership.rank === 0 ? leaderTarget(stopping) : followerTarget(stopping));
  let lastLog: Promise<readonly LogLine[]> | undefined;
  const onShutdown = (log: Promise<readonly LogLine[]>) => {
    lastLog ??= log;
  };
  void reporting.watch(ownBroker(broker, { socket, observations, onShutdown, log }));
  await pod.certificate?.check().catch(endWith(broker));
  const trace = async () => ({ madeSocket: madeSocket(), log: (await lastLog) ?? [] });
  const ended = attend(broker, tending, trace);
  ended.catch(() => undefined);
  return { process: broker, ended };
}

/** Everything that can wait until the broker is on its way, and then its end. */
async function attend(
  broker: BrokerProcess,
  { pod, signals, observations, reporting, reread, log }: Tending,
  trace: () => Promise<BrokerTrace>,
): Promise<Ending> {
  await log.open();
  await reporting.serve(pod.directory.agentSocket);
  if (pod.membership.size > 1) await reporting.serveLinks(pod.linkKey);
  await reporting.serveApi();
  await reporting.watchMounts(pod, reread);
  const ending = await broker.ended;
  signals.forwardTo(undefined);
  broker.kill();
  log('info', 'The broker has ended', {
    code: ending.code,
    ...(ending.signal && { signal: ending.signal }),
  });
  if (!signals.stop.aborted)
    await explainEnding(ending, observations.configuration, pod.membership, await trace());
  return ending;
}

/** The broker ends, and then the error is thrown. */
const endWith = (broker: BrokerProcess) => async (error: unknown) => {
  broker.kill();
  await broker.ended;
  throw error;
};
