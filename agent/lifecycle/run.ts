/** The life of a pod, from its configuration to its outcome. */
import { isatty } from 'node:tty';
import { openRunDirectory, type RunDirectory } from '../broker/run-directory.ts';
import type { Configuration } from '../config/resolve.ts';
import { messageOf } from '../errors.ts';
import { createObservations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { createLifecycle } from '../pod/phase.ts';
import { followParent } from './follow.ts';
import { holdFailed } from './hold.ts';
import { findHooks, runHooks, type Stage } from './hooks.ts';
import { brokenOff, leaderOutcome, type Outcome } from './outcome.ts';
import { preparePod } from './prepare.ts';
import { createReporting } from './reporting.ts';
import { handleSignals } from './signals.ts';
import { type Tending, tendBroker } from './tend.ts';
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

    const tending = { pod, terminal, signals, lifecycle, observations, reporting, reread, log };
    const outcome = leads ? await lead(tending) : await followParent(tending);
    await tellChildren(outcome);
    // The instance has ended and the others know how: what a hook makes of it changes nothing any more.
    await hook('post', new AbortController().signal).catch((error) => log('error', messageOf(error)));
    return outcome;
  };

  /** A leader that was stopped has no outcome: its followers wait for the one that takes its place, unless they are stopped as well. */
  const tellChildren = async ({ code, sentence }: Outcome) => {
    const links = reporting.parentLinks();
    const decides = observations.membership?.rank === 0 && !signals.stoppedBy();
    if (decides) links?.announce({ kind: 'outcome', code, sentence });
    await links?.settled(childrenHearMs);
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

/** A leader waits for nobody. That its broker could not start is an outcome as well, which followers hear. */
async function lead(tending: Tending): Promise<Outcome> {
  const { signals } = tending;
  const broker = await tendBroker(tending, new Promise(() => undefined));
  return broker.ended.then(
    (ending) => leaderOutcome(ending, signals.stoppedBy()),
    (error: unknown) => brokenOff(error, signals),
  );
}

/** Children have this long to hear the outcome. */
const childrenHearMs = 2000;
