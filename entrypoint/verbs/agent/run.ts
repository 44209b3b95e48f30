import { useUtc } from '../../../agent/clock.ts';
import { operatorSource } from '../../../agent/config/operator-layer.ts';
import { lastWords, writeTerminationLog } from '../../../agent/lifecycle/exit/termination-log.ts';
import { runPod } from '../../../agent/lifecycle/run.ts';
import { createLog } from '../../../agent/log.ts';
import { type ParsedArguments, settingFlags } from '../../command-line/arguments.ts';
import { configFileOf, configure } from '../../command-line/configure.ts';
import { keepOutputBlocking } from '../../command-line/shared-output.ts';
import { shellLine, type Verb } from '../verb.ts';

/** `flux-pod run [FLAGS] [-- COMMAND ARG...]`: the entrypoint. Resolves to the pod's exit code. */
export const run: Verb = {
  forms: {
    '[FLAGS] [-- COMMAND ARG...]': 'the entrypoint: bootstraps, supervises, exits with the outcome',
  },
  flags: {},
  settings: settingFlags,
  takes: 'COMMAND',
  examples: [
    'flux-pod run --size 4 -- flux run -N4 hostname',
    'flux-pod run --size 4 --mode submit -- ./a.out',
    'flux-pod run --size 4 --mode interactive',
  ],
  more: shellLine,
  run: runAgent,
};

async function runAgent({ flags, command }: ParsedArguments): Promise<number> {
  const environment = { ...process.env }; // with the time zone of the program
  useUtc();
  keepOutputBlocking();
  const { configuration, sources } = await configure(flags, environment).catch(lastWords);
  const log = createLog({
    level: configuration.logLevel,
    format: configuration.logFormat,
    base: { pod: `${configuration.cluster}-${configuration.index}` },
  });
  const theirs = Object.entries(sources).filter(([, { source }]) => source.startsWith(operatorSource));
  if (theirs.length > 0)
    log(
      'info',
      `Settings from ${operatorSource}`,
      Object.fromEntries(theirs.map(([name, { value }]) => [name, value])),
    );
  const outcome = await runPod(configuration, command, environment, log, {
    configFile: configFileOf(flags, environment),
    reconfigure: async () => (await configure(flags, environment)).configuration,
  });
  await log.open();
  writeTerminationLog(outcome);
  return outcome.code;
}
