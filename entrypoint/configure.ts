import { isatty } from 'node:tty';
import {
  configVariable,
  defaultConfigPath,
  type LayerReading,
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
  const readings = [
    readFlags(flags),
    readEnvironment(environment),
    await readSettingsFile(flags, environment),
  ];
  return resolveConfiguration(
    readPodFacts(environment),
    readings.map(({ layer }) => layer),
    { problems: readings.flatMap(({ problems }) => problems), terminal: isatty(2) },
  );
}

/** The file that somebody named, if somebody did. */
const namedFile = (flags: Flags, environment: NodeJS.ProcessEnv): string | undefined =>
  (typeof flags.config === 'string' ? flags.config : environment[configVariable]) || undefined;

/** Where the settings' TOML file is, or would be. */
export const configFileOf = (flags: Flags, environment: NodeJS.ProcessEnv): string =>
  namedFile(flags, environment) ?? defaultConfigPath;

/** What the TOML file sets; one that nobody named need not be there. */
export const readSettingsFile = (flags: Flags, environment: NodeJS.ProcessEnv): Promise<LayerReading> =>
  readConfigFile(configFileOf(flags, environment), namedFile(flags, environment) === undefined);
