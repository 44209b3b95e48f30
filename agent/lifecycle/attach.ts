/** The life of an agent that watches over a broker which somebody else has started. */
import { existsSync } from 'node:fs';
import { openObserverDirectory, type RunDirectory } from '../broker/run-directory/run-directory.ts';
import { linkSocket } from '../broker/run-directory/socket-links.ts';
import type { Configuration } from '../config/configuration.ts';
import { messageOf } from '../errors.ts';
import { type BrokerState, isAfter, isOnline } from '../flux/services/state-machine.ts';
import { type Attachment, createObservations, type Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { operatorPaths } from '../pod/operator-paths.ts';
import { createLifecycle } from '../pod/phase.ts';
import { type FoundBroker, findBroker } from './find-broker.ts';
import { type Instance, readInstance } from './instance.ts';
import { brokenOff, type Outcome } from './outcome.ts';
import { createReporting, type WatchedBroker } from './reporting.ts';
import { handleSignals } from './signals.ts';

/** Where brokers are that were not started by flux-pod: the Flux Operator's, and a system instance (flux-core etc/flux.service.in). */
const usualSockets = [operatorPaths.socket, '/run/flux/local'];

/**
 * The Flux Operator's wait script has ended. The pod of a Job completes only when all of its containers have ended with 0, so nothing
 * that is wrong with an observer may count from then on.
 */
export const isScriptOver = (): boolean => existsSync(operatorPaths.complete);

/** Serves probes, status and metrics of the broker until it is stopped, or the broker has gone for good. */
export async function attach(configuration: Configuration, log: Log): Promise<Outcome> {
  const lifecycle = createLifecycle(log);
  const observations = createObservations(configuration, lifecycle.history);
  const attachment = attachmentOf(configuration);
  observations.attachment = attachment;
  const reporting = createReporting(observations, log);
  const signals = handleSignals(false, observations);

  const live = async (): Promise<Outcome> => {
    const warn = (sentence: string) => log('warn', sentence);
    const directory = await openObserverDirectory(configuration.dir, warn);
    if (!directory)
      log('warn', 'There is no run-time directory: probes and status are served over HTTP only');
    await log.open();
    await reporting.serve(directory?.agentSocket);
    for (;;) {
      lifecycle.enter('await-broker');
      const found = await findBroker({
        attachment,
        ...endOf(attachment, observations),
        signal: signals.stop,
        log,
      });
      if ('over' in found) return { code: 0, sentence: `There is no broker any more: ${found.over}` };
      const { client, instance, socket } = found;
      attachment.socket = socket;
      if (directory) leadTo(socket, directory, log);
      note(instance, observations);
      const { rank, size } = instance.membership;
      lifecycle.enter('broker', { socket, rank, size, pid: instance.process.pid });
      signals.stop.addEventListener('abort', client.close, { once: true });
      await reporting.watch(watchedOnce(found, observations, log));
      signals.stop.removeEventListener('abort', client.close);
      signals.stop.throwIfAborted();
      attachment.obstacle = 'its connection has ended';
      const state = lastState(observations);
      if (state && isAfter(state, 'run')) log('info', 'The broker has ended', { socket, state });
      else log('warn', 'The broker has gone', { socket, state });
    }
  };

  const ending = await live().catch((error: unknown) => brokenOff(error, signals));
  const outcome = signals.stoppedBy() === undefined && isScriptOver() ? { ...ending, code: 0 } : ending;
  lifecycle.enter('exit');
  log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code, ...outcome.facts });
  reporting.close();
  return outcome;
}

/** `flux-pod shell` and its like find the broker there; probes and status do not need that. */
function leadTo(socket: string, directory: RunDirectory, log: Log): void {
  try {
    linkSocket(directory, socket);
  } catch (error) {
    log('warn', 'Commands such as `flux-pod shell` do not find the broker', { why: messageOf(error) });
  }
}

function attachmentOf({ socket }: Configuration): Attachment {
  const sockets = socket === undefined ? usualSockets : [socket];
  return { sockets, socket: undefined, obstacle: 'it has not been looked for' };
}

/**
 * What ends the wait. Once there was a broker, FLUX_POD_LINGER does. The Flux Operator's wait script leaves a mark when it has ended:
 * the pod of a Job completes only when all of its containers have ended, so an agent beside it must not stay longer.
 */
function endOf({ sockets }: Attachment, { configuration: { linger }, brokersStarted }: Observations) {
  const beside = sockets.includes(operatorPaths.socket) && linger !== Number.POSITIVE_INFINITY;
  return {
    patience: linger,
    hadBroker: brokersStarted > 0,
    endMarker: beside ? operatorPaths.complete : undefined,
  };
}

/** What the broker says of itself takes the place of what an agent that starts brokers is told. */
function note({ membership, topo, quorum }: Instance, observations: Observations): void {
  const { size } = membership;
  observations.membership = membership;
  observations.configuration = { ...observations.configuration, size, maxSize: size, minSize: quorum, topo };
}

/** One connection is one broker's life: by its end somebody else's broker is known to have gone. */
function watchedOnce({ client, instance }: FoundBroker, observations: Observations, log: Log): WatchedBroker {
  const connections = [client];
  let isKnown = false;
  return {
    ...instance.process,
    ended: client.closed,
    connect: async () => connections.pop(),
    onState: (state) => {
      if (isKnown || !isOnline(state)) return;
      isKnown = true;
      // A broker that has just started does not know its parent and its topology yet.
      readInstance(client)
        .then((later) => note(later, observations))
        .catch((error: unknown) => log('debug', 'The broker does not say who it is', { why: String(error) }));
    },
  };
}

/** The state in which it was, before it was found to be gone. */
const lastState = ({ broker }: Observations): BrokerState | undefined =>
  broker?.states.findLast(({ state }) => state !== 'exit')?.state;
