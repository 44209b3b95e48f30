import { isatty } from 'node:tty';
import {
  configVariable,
  defaultConfigPath,
  type LayerReading,
  readConfigFile,
  readEnvironment,
  readFlags,
} from '../../agent/config/layers.ts';
import { type Resolution, resolveAttachment, resolveConfiguration } from '../../agent/config/resolve.ts';
import { readPodFacts } from '../../agent/pod/facts.ts';
import type { Flags } from './arguments.ts';

/**
 * Reads the configuration: flags, environment, TOML file, what is detected from the pod, defaults. Throws a PodError (exit 78) that
 * lists every problem.
 */
export const configure = (flags: Flags, environment: NodeJS.ProcessEnv): Promise<Resolution> =>
  settle(resolveConfiguration, flags, environment);

/** The same for `flux-pod attach`. */
export const configureAttachment = (flags: Flags, environment: NodeJS.ProcessEnv): Promise<Resolution> =>
  settle(resolveAttachment, flags, environment);

async function settle(
  resolve: typeof resolveConfiguration,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): Promise<Resolution> {
  const readings = [
    readFlags(flags),
    readEnvironment(environment),
    await readSettingsFile(flags, environment),
  ];
  return resolve(
    readPodFacts(environment),
    readings.map(({ layer }) => layer),
    { problems: readings.flatMap(({ problems }) => problems), terminal: isatty(2) },
  );
}

/** The path of the TOML file where a flag or the environment has one. */
const namedFile = (flags: Flags, environment: NodeJS.ProcessEnv): string | undefined =>
  (typeof flags.config === 'string' ? flags.config : environment[configVariable]) || undefined;

/** Where the settings' TOML file is, or would be. */
export const configFileOf = (flags: Flags, environment: NodeJS.ProcessEnv): string =>
  namedFile(flags, environment) ?? defaultConfigPath;

/** The settings of the TOML file. At the default path it need not exist. */
export const readSettingsFile = (flags: Flags, environment: NodeJS.ProcessEnv): Promise<LayerReading> =>
  readConfigFile(configFileOf(flags, environment), namedFile(flags, environment) === undefined);
