/** The life of a pod, from its configuration to its outcome. */
import { isatty } from 'node:tty';
import { type BrokerProcess, startBroker } from '../broker/process.ts';
import type { Configuration } from '../config/resolve.ts';
import type { Log } from '../log.ts';
import { explainEnding } from './explain-ending.ts';
import { followParent } from './follow.ts';
import { findHooks, runHooks, type Stage } from './hooks.ts';
import { leaderOutcome, type Outcome, stoppedOutcome } from './outcome.ts';
import { createLifecycle } from './phase.ts';
import { preparePod } from './prepare.ts';
import { handleSignals } from './signals.ts';

/**
 * Runs this pod's part of the Flux instance until it has ended. COMMAND is run by the leader as the mode says.
 * Throws a PodError for what stops the start.
 */
export async function runPod(
  configuration: Configuration,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<Outcome> {
  const terminal = isatty(0);
  const lifecycle = createLifecycle(log);
  const signals = handleSignals(terminal);
  const never = new AbortController().signal;
  try {
    lifecycle.enter('prepare');
    const hooks = findHooks(configuration.hooks, log);
    const hook = (stage: Stage, stop = signals.stop) => runHooks(hooks, stage, environment, stop, log);
    await hook('init');
    const pod = await preparePod(configuration, command, environment);
    const leads = pod.membership.rank === 0;
    await hook('pre');
    await hook(leads ? 'leader-pre' : 'follower-pre');

    const start = async () => {
      signals.stop.throwIfAborted();
      const broker = await startBroker(pod.flux, pod.brokerArguments, pod.environment, terminal);
      lifecycle.enter('broker', { pid: broker.pid, flux: pod.flux });
      signals.forwardTo(broker);
      await pod.checkKeyPair().catch(endWith(broker));
      await log.open();
      const ending = await broker.ended;
      signals.forwardTo(undefined);
      if (!signals.stop.aborted) await explainEnding(ending, configuration, pod.membership);
      log('info', 'The broker has ended', {
        code: ending.code,
        ...(ending.signal && { signal: ending.signal }),
      });
      return ending;
    };
    const outcome = leads
      ? leaderOutcome(await start(), signals.stoppedBy())
      : await followParent({ configuration, pod, start, signals, lifecycle, log });
    await hook('post', never);
    log(outcome.code === 0 ? 'info' : 'error', outcome.sentence, { exitCode: outcome.code });
    return outcome;
  } catch (error) {
    const signal = signals.stoppedBy();
    if (signal && error === signals.stop.reason) return stoppedOutcome(signal);
    throw error;
  } finally {
    lifecycle.enter('exit');
  }
}

/** The broker ends, and then the error is thrown. */
const endWith = (broker: BrokerProcess) => async (error: unknown) => {
  broker.signal('SIGKILL');
  await broker.ended;
  throw error;
};
