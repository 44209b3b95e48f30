/** The life of a pod, from its configuration to its outcome. */
import { rmSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type BrokerProcess, startBroker } from '../broker/process.ts';
import type { Configuration } from '../config/resolve.ts';
import { createObservations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { createLifecycle } from '../pod/phase.ts';
import { explainEnding } from './explain-ending.ts';
import { followParent, type StartedBroker } from './follow.ts';
import { holdFailed } from './hold.ts';
import { findHooks, runHooks, type Stage } from './hooks.ts';
import { brokenOff, leaderOutcome, type Outcome } from './outcome.ts';
import { ownBroker } from './own-broker.ts';
import { preparePod } from './prepare.ts';
import { createReporting } from './reporting.ts';
import { handleSignals } from './signals.ts';
import { followerTarget, leaderTarget } from './stop.ts';
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
  const never = new AbortController().signal;

  const live = async (): Promise<Outcome> => {
    lifecycle.enter('prepare');
    const hooks = findHooks(configuration.hooks, log);
    const hook = (stage: Stage, stop = signals.stop) => runHooks(hooks, stage, environment, stop, log);
    await hook('init');
    const pod = await preparePod(configuration, command, environment);
    Object.assign(observations, { membership: pod.membership, flux: pod.flux });
    const leads = pod.membership.rank === 0;
    await reporting.prepareApi(pod);
    await hook('pre');
    await hook(leads ? 'leader-pre' : 'follower-pre');

    const start = async (parentStops = new Promise<void>(() => undefined)): Promise<StartedBroker> => {
      signals.stop.throwIfAborted();
      rmSync(pod.directory.programPid, { force: true });
      const broker = await startBroker(pod.flux, pod.brokerArguments, pod.environment, terminal);
      lifecycle.enter('broker', { pid: broker.pid, flux: pod.flux });
      const { programPid } = pod.directory;
      const { client, lifelines } = reporting;
      const stopping = { broker, observations, programPid, lifelines, client, parentStops, log };
      signals.forwardTo(leads ? leaderTarget(stopping) : followerTarget(stopping));
      void reporting.watch(ownBroker(broker, pod.directory.socket, observations, log));
      await pod.checkKeyPair().catch(endWith(broker));
      const ended = attend(broker);
      ended.catch(() => undefined);
      return { process: broker, ended };
    };
    const attend = async (broker: BrokerProcess) => {
      await log.open();
      await reporting.serve(pod.directory.agentSocket);
      if (pod.membership.size > 1) await reporting.holdChildren(broker, pod.seal);
      await reporting.serveApi();
      await reporting.watchMounts(pod, reread);
      const ending = await broker.ended;
      signals.forwardTo(undefined);
      broker.kill();
      if (!signals.stop.aborted) await explainEnding(ending, configuration, pod.membership);
      log('info', 'The broker has ended', {
        code: ending.code,
        ...(ending.signal && { signal: ending.signal }),
      });
      return ending;
    };
    const outcome = leads
      ? leaderOutcome(await (await start()).ended, signals.stoppedBy())
      : await followParent({ pod, start, signals, lifecycle, observations, reporting, log });
    await tellChildren(outcome);
    await hook('post', never);
    return outcome;
  };

  /** A leader that was stopped has no outcome: its followers wait for the one that takes its place, unless they are stopped as well. */
  const tellChildren = async ({ code, sentence }: Outcome) => {
    const lifelines = reporting.lifelines();
    const decides = observations.membership?.rank === 0 && !signals.stoppedBy();
    if (decides) lifelines?.announce({ kind: 'outcome', code, sentence });
    await lifelines?.settled(childrenHearMs);
  };

  const outcome = await live().catch((error: unknown) => brokenOff(error, signals));
  const { onFailure } = configuration;
  await holdFailed(outcome, {
    onFailure,
    observations,
    lifecycle,
    released: reporting.released,
    stop: signals.stop,
    log,
  });
  lifecycle.enter('exit');
  log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code, ...outcome.facts });
  reporting.close();
  return outcome;
}

/** Children have this long to hear the outcome. */
const childrenHearMs = 2000;

/** The broker ends, and then the error is thrown. */
const endWith = (broker: BrokerProcess) => async (error: unknown) => {
  broker.kill();
  await broker.ended;
  throw error;
};
