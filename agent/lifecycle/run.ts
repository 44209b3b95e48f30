/** The life of a pod, from its configuration to its outcome. */
import { isatty } from 'node:tty';
import { openRunDirectory, type RunDirectory } from '../broker/run-directory/run-directory.ts';
import type { Configuration } from '../config/configuration.ts';
import { messageOf } from '../errors.ts';
import { createObservations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { createLifecycle } from '../pod/phase.ts';
import { follower } from './follower.ts';
import { holdFailed } from './hold.ts';
import { findHooks, runHooks, type Stage } from './hooks.ts';
import { leader } from './leader.ts';
import { brokenOff, type Outcome } from './outcome.ts';
import { preparePod } from './prepare.ts';
import { createReporting } from './reporting.ts';
import { handleSignals } from './signals.ts';
import { supervise } from './supervise.ts';
import type { Reread } from './watch-mounts.ts';

/** Runs this pod's part of the Flux instance until it has ended. COMMAND is run by the leader as the mode says. */
export async function runPod(
  configuration: Configuration,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  log: Log,
  reread: Reread,
): Promise<Outcome> {
  const terminal = isatty(0);
  const lifecycle = createLifecycle(log);
  const observations = createObservations(configuration, lifecycle.history);
  const reporting = createReporting(observations, log);
  const signals = handleSignals(terminal, observations);

  // Made once: to prepare the pod, or for a person where the pod has failed before that and is held.
  let directory: Promise<RunDirectory> | undefined;
  const openDirectory = () => {
    directory ??= openRunDirectory(configuration.dir, (sentence) => log('warn', sentence));
    return directory;
  };

  const live = async (): Promise<Outcome> => {
    lifecycle.enter('prepare');
    const hooks = findHooks(configuration.hooks, log);
    const hook = (stage: Stage, stop = signals.stop) => runHooks(hooks, stage, environment, stop, log);
    await hook('init');
    const pod = await preparePod(configuration, command, environment, openDirectory, log);
    Object.assign(observations, { membership: pod.membership, flux: pod.flux });
    const leads = pod.membership.rank === 0;
    await reporting.prepareApi(pod);
    await hook('pre');
    await hook(leads ? 'leader-pre' : 'follower-pre');

    const supervised = { pod, terminal, signals, lifecycle, observations, reporting, reread, log };
    const { outcome, runsPost } = leads
      ? await supervise(leader(configuration), supervised)
      : await supervise(follower(configuration, pod.membership), supervised);
    if (!runsPost) return outcome;
    await reporting.parentLinks()?.settled(childrenHearMs);
    // The instance has ended and the others know how: what a hook makes of it changes nothing any more.
    await hook('post', new AbortController().signal).catch((error) => log('error', messageOf(error)));
    return outcome;
  };

  const outcome = await live().catch((error: unknown) => brokenOff(error, signals));
  await holdFailed(outcome, {
    configuration,
    observations,
    lifecycle,
    reporting,
    signals,
    openDirectory,
    log,
  });
  lifecycle.enter('exit');
  log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code, ...outcome.facts });
  reporting.close();
  return outcome;
}

/** Children have this long to hear the outcome. */
const childrenHearMs = 2000;
