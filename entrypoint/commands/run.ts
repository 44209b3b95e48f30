import { operatorSource } from '../../agent/config/operator-layer.ts';
import { runPod } from '../../agent/lifecycle/run.ts';
import { lastWords, writeTerminationLog } from '../../agent/lifecycle/termination-log.ts';
import { createLog } from '../../agent/log.ts';
import { parseVerbArguments, settingFlags } from '../arguments.ts';
import { configFileOf, configure } from '../configure.ts';

/** `flux-pod run [FLAGS] [-- COMMAND ARG...]`: the entrypoint. Resolves to the pod's exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const { flags, command } = parseVerbArguments('run', args, settingFlags, 'COMMAND');
  const { configuration, sources } = await configure(flags, process.env).catch(lastWords);
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
  const outcome = await runPod(configuration, command, process.env, log, {
    configFile: configFileOf(flags, process.env),
    reconfigure: async () => (await configure(flags, process.env)).configuration,
  });
  await log.open();
  writeTerminationLog(outcome);
  return outcome.code;
}
