/** The life of a pod, from its configuration to its outcome. */
import { isatty } from 'node:tty';
import { isElastic } from '../broker/elastic.ts';
import { openRunDirectory, type RunDirectory } from '../broker/run-directory/run-directory.ts';
import type { Configuration } from '../config/configuration.ts';
import { messageOf } from '../errors.ts';
import { createHealth } from '../health/health.ts';
import type { Log } from '../log.ts';
import { createLifecycle } from '../pod/phase.ts';
import { createBrokerConnection } from './broker/connection.ts';
import { createHold } from './exit/hold.ts';
import { brokenOff, type Outcome } from './exit/outcome.ts';
import { follower } from './follower/follower.ts';
import { leader } from './leader.ts';
import { findHooks, runHooks, type Stage } from './prepare/hooks.ts';
import { prepareApiOf, preparePod } from './prepare/prepare-pod.ts';
import { type Services, type ServicesOptions, startServices } from './services/services.ts';
import type { Reread } from './services/watch-mounts.ts';
import { handleSignals } from './stop/signals.ts';
import { supervise } from './supervise.ts';

/** Runs this pod's part of the Flux instance until it has ended. The leader runs COMMAND according to FLUX_POD_MODE. */
export async function runPod(
  configuration: Configuration,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  log: Log,
  reread: Reread,
): Promise<Outcome> {
  const terminal = isatty(0);
  const lifecycle = createLifecycle(log);
  const health = createHealth(configuration, lifecycle.history);
  const { podState } = health;
  const connection = createBrokerConnection(podState, log);
  const hold = createHold();
  const signals = handleSignals(terminal, podState);

  // Made once: to prepare the pod, or for a person where the pod has failed before that and is held.
  let directory: Promise<RunDirectory> | undefined;
  const openDirectory = () => {
    directory ??= openRunDirectory(configuration.dir, (sentence) => log('warn', sentence));
    return directory;
  };
  // Started once: when the broker is on its way, or for a person in the same way.
  let services: Promise<Services> | undefined;
  const start = (of: Pick<ServicesOptions, 'agentSocket' | 'membership' | 'controllers' | 'api'>) => {
    services = startServices({ configuration, health, connection, hold, log, ...of });
    return services;
  };

  const live = async (): Promise<Outcome> => {
    lifecycle.enter('prepare');
    const hooks = findHooks(configuration.hooks, log);
    const hook = (stage: Stage, stop = signals.stop) => runHooks(hooks, stage, environment, stop, log);
    await hook('init');
    const pod = await preparePod(configuration, command, environment, openDirectory, log);
    const { membership, flux } = pod;
    podState.set({ membership, flux });
    const leads = membership.rank === 0;
    const api = await prepareApiOf(pod, configuration, podState, log);
    await hook('pre');
    await hook(leads ? 'leader-pre' : 'follower-pre');

    const { agentSocket, socket } = pod.directory;
    const controllers =
      leads && pod.certificate
        ? { key: pod.controllerKey, socket, isElastic: isElastic(configuration) }
        : undefined;
    const supervised = {
      ...{ configuration, pod, terminal, signals, lifecycle, podState, connection, reread, log },
      startServices: () => start({ agentSocket, membership, controllers, api }),
    };
    const { outcome, runsPost } = leads
      ? await supervise(leader(configuration), supervised)
      : await supervise(follower(configuration, membership), supervised);
    if (!runsPost) return outcome;
    await (await services)?.links?.settled(childrenReceiveMs, connection.joined());
    // The instance has ended and the children have its outcome: a failed hook changes nothing.
    await hook('post', new AbortController().signal).catch((error) => log('error', messageOf(error)));
    return outcome;
  };

  const outcome = await live().catch((error: unknown) => brokenOff(error, signals));
  await hold.holdFailed(outcome, {
    ...{ configuration, podState, lifecycle, signals, log },
    serve: async () => {
      const found = await openDirectory().catch(messageOf);
      const fault = typeof found === 'string' ? found : undefined;
      await (services ?? start({ agentSocket: typeof found === 'string' ? undefined : found.agentSocket }));
      return fault;
    },
  });
  lifecycle.enter('exit');
  log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code, ...outcome.facts });
  void services?.then(
    ({ close }) => close(),
    () => undefined,
  );
  return outcome;
}

/** The children's agents have this long to receive the outcome. */
const childrenReceiveMs = 2000;
