/** The life of an agent that observes a broker of another program. */
import { existsSync } from 'node:fs';
import { openObserverDirectory, type RunDirectory } from '../../broker/run-directory/run-directory.ts';
import { linkSocket } from '../../broker/run-directory/socket-links.ts';
import type { Configuration } from '../../config/configuration.ts';
import { messageOf } from '../../errors.ts';
import { type BrokerState, isAfter, isOnline } from '../../flux/services/state-machine.ts';
import { createHealth } from '../../health/health.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';
import { operatorPaths } from '../../pod/operator-paths.ts';
import { createLifecycle } from '../../pod/phase.ts';
import { createBrokerConnection, type WatchedBroker } from '../broker/connection.ts';
import { brokenOff, type Outcome } from '../exit/outcome.ts';
import { type Services, startServices } from '../services/services.ts';
import { handleSignals, type SignalProcess } from '../stop/signals.ts';
import { type FoundBroker, findBroker } from './find-broker.ts';
import { type Instance, readInstance } from './instance.ts';

/** The sockets of brokers that flux-pod has not started: the Flux Operator's, and a system instance's (flux-core etc/flux.service.in). */
const usualSockets = [operatorPaths.socket, '/run/flux/local'];

/**
 * The Flux Operator's wait script has ended. The pod of a Job completes only when all of its containers have exited with 0, so an error of
 * the observer must not count from then on.
 */
export const isScriptOver = (): boolean => existsSync(operatorPaths.complete);

/** Serves probes, status and metrics of the broker until a signal asks for the exit, or no broker is to be expected any more. */
export async function attach(
  configuration: Configuration,
  log: Log,
  own: SignalProcess = process,
): Promise<Outcome> {
  const lifecycle = createLifecycle(log);
  const health = createHealth(configuration, lifecycle.history);
  const { podState } = health;
  const connection = createBrokerConnection(podState, log);
  const signals = handleSignals(false, podState, own);
  const sockets = configuration.socket === undefined ? usualSockets : [configuration.socket];
  const waitFor = (waitReason: string, socket?: string) =>
    podState.set({ attachment: { sockets, socket, waitReason } });
  waitFor('it has not been looked for');
  let services: Services | undefined;

  const live = async (): Promise<Outcome> => {
    const warn = (sentence: string) => log('warn', sentence);
    const directory = await openObserverDirectory(configuration.dir, warn);
    const agentSocket = directory?.agentSocket;
    if (!directory) warn('There is no run-time directory: probes and status are served over HTTP only');
    services = await startServices({ configuration, agentSocket, health, connection, log });
    let last: string | undefined;
    for (;;) {
      lifecycle.enter('await-broker');
      const found = await findBroker({
        ...{ sockets, signal: signals.stop, log, onWait: (reason) => waitFor(reason, last) },
        ...endOf(sockets, configuration, last !== undefined),
      });
      if ('over' in found) return { code: 0, sentence: `There is no broker any more: ${found.over}` };
      const { client, instance, socket } = found;
      last = socket;
      waitFor('', socket);
      if (directory) linkTo(socket, directory, log);
      note(instance, configuration, podState);
      const { rank, size } = instance.membership;
      lifecycle.enter('broker', { socket, rank, size, pid: instance.process.pid });
      signals.stop.addEventListener('abort', client.close, { once: true });
      const state = await connection.keep(
        watchedOnce(found, (later) => note(later, configuration, podState), log),
      );
      signals.stop.removeEventListener('abort', client.close);
      signals.stop.throwIfAborted();
      waitFor('its connection has ended', socket);
      reportExit(socket, state, log);
    }
  };

  const ending = await live().catch((error: unknown) => brokenOff(error, signals));
  const outcome = signals.stoppedBy() === undefined && isScriptOver() ? { ...ending, code: 0 } : ending;
  lifecycle.enter('exit');
  log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code, ...outcome.facts });
  services?.close();
  return outcome;
}

/** `flux-pod shell` and its like find the broker by this link; probes and status do not need it. */
function linkTo(socket: string, directory: RunDirectory, log: Log): void {
  try {
    linkSocket(directory, socket);
  } catch (error) {
    log('warn', 'Commands such as `flux-pod shell` do not find the broker', { why: messageOf(error) });
  }
}

/**
 * What ends the wait. Once there was a broker, FLUX_POD_LINGER does. The Flux Operator's wait script leaves a file when it has ended:
 * the pod of a Job completes only when all of its containers have exited, so an agent beside it must not stay longer.
 */
function endOf(sockets: readonly string[], { linger }: Configuration, hadBroker: boolean) {
  const beside = sockets.includes(operatorPaths.socket) && linger !== Number.POSITIVE_INFINITY;
  return { linger, hadBroker, endMarker: beside ? operatorPaths.complete : undefined };
}

/** The broker's own attributes take the place of settings of an agent that starts brokers. */
function note(
  { membership, topo, quorum }: Instance,
  configuration: Configuration,
  podState: PodStateWriter,
): void {
  const { size } = membership;
  podState.set({
    membership,
    configuration: { ...configuration, size, maxSize: size, minSize: quorum, topo },
  });
}

/** One connection is one broker's life: its end shows that the broker of another program has exited. */
function watchedOnce(
  { client, instance }: FoundBroker,
  onInstance: (later: Instance) => void,
  log: Log,
): WatchedBroker {
  const connections = [client];
  let isKnown = false;
  return {
    ...instance.process,
    leads: instance.membership.rank === 0,
    ended: client.closed,
    connect: async () => connections.pop(),
    onState: (state) => {
      if (isKnown || !isOnline(state)) return;
      isKnown = true;
      // A broker that has just started has no parent and no topology yet.
      readInstance(client)
        .then(onInstance)
        .catch((error: unknown) =>
          log('debug', 'The broker does not report its attributes', { why: String(error) }),
        );
    },
  };
}

function reportExit(socket: string, state: BrokerState | undefined, log: Log): void {
  if (state && isAfter(state, 'run')) log('info', 'The broker has exited', { socket, state });
  else log('warn', 'The broker no longer answers', { socket, state });
}
