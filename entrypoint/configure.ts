import { isatty } from 'node:tty';
import {
  configVariable,
  defaultConfigPath,
  readConfigFile,
  readEnvironment,
  readFlags,
} from '../agent/config/layers.ts';
import { type Resolution, resolveConfiguration } from '../agent/config/resolve.ts';
import { readPodFacts } from '../agent/pod/facts.ts';
import type { Flags } from './arguments.ts';

/**
 * Reads the configuration: flags, environment, TOML file, what the pod tells, defaults. Throws a PodError (exit 78) that
 * lists every problem.
 */
export async function configure(flags: Flags, environment: NodeJS.ProcessEnv): Promise<Resolution> {
  const named = typeof flags.config === 'string' ? flags.config : environment[configVariable];
  const readings = [
    readFlags(flags),
    readEnvironment(environment),
    await readConfigFile(named || defaultConfigPath, !named),
  ];
  return resolveConfiguration(
    readPodFacts(environment),
    readings.map(({ layer }) => layer),
    { problems: readings.flatMap(({ problems }) => problems), terminal: isatty(2) },
  );
}
