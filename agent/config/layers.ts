import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { errnoOf, messageOf } from '../errors.ts';
import { didYouMean } from '../suggestion.ts';
import { environmentName, flagName, type SettingName, settingNames, tomlName } from './settings.ts';
import { tomlFault } from './toml-fault.ts';

/** A value as it is written, and where: `--size`, `FLUX_POD_SIZE`, `size in /etc/flux-pod/config.toml`. */
export interface RawSetting {
  readonly value: unknown;
  readonly source: string;
}

/** All that one source sets. */
export type Layer = { readonly [Name in SettingName]?: RawSetting };

/** The value that won for each setting, and where it came from; absent where no source sets it. */
export type Sources = Layer;

/** Something wrong with the configuration: the name as the user wrote it, the value, and what was expected instead. */
export interface SettingProblem {
  readonly name: string;
  /** Absent where it may be a secret: this goes to the log and to /dev/termination-log. */
  readonly value?: unknown;
  readonly expected: string;
}

export interface LayerReading {
  readonly layer: Layer;
  readonly problems: readonly SettingProblem[];
}

/** Settings given as flags: the values of parseArgs(), which has refused unknown ones. */
export function readFlags(flags: Readonly<Record<string, unknown>>): LayerReading {
  return readLayer(
    settingNames
      .map((name) => [name, flags[flagName(name)], `--${flagName(name)}`] as const)
      .filter(([, value]) => value !== undefined),
  );
}

const prefix = 'FLUX_POD_';
/**
 * Variables that are no settings: the path of the TOML file; the stage, in the environment of hooks; the URL and the token of the API, for
 * clients.
 */
export const configVariable = 'FLUX_POD_CONFIG';
export const stageVariable = 'FLUX_POD_STAGE';
export const apiUrlVariable = 'FLUX_POD_API_URL';
export const apiTokenVariable = 'FLUX_POD_API_TOKEN_FILE';
const noSettings = [configVariable, stageVariable, apiUrlVariable, apiTokenVariable];
export const defaultConfigPath = '/etc/flux-pod/config.toml';

/** Settings in the environment. A variable that is set but empty counts as not set. */
export function readEnvironment(environment: NodeJS.ProcessEnv): LayerReading {
  const known = new Map(settingNames.map((name) => [environmentName(name), name]));
  const isServiceLink = serviceLinks(environment);
  const given = Object.entries(environment).filter(
    ([variable, value]) =>
      variable.startsWith(prefix) &&
      !noSettings.includes(variable) &&
      value !== '' &&
      !isServiceLink(variable),
  );
  return readLayer(
    given.map(([variable, value]) => [known.get(variable), value, variable] as const),
    (variable) => `no such setting${didYouMean(variable, [...known.keys(), configVariable])}`,
  );
}

/** Settings in the TOML file at `path`; with `optional`, a file that does not exist sets nothing. */
export async function readConfigFile(path: string, optional: boolean): Promise<LayerReading> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (optional && ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return { layer: {}, problems: [] };
    const problem = {
      name: configVariable,
      value: path,
      expected: `a file that can be read (${messageOf(error)})`,
    };
    return { layer: {}, problems: [problem] };
  }
  try {
    const known = new Map(settingNames.map((name) => [tomlName(name), name]));
    return readLayer(
      Object.entries(parse(content)).map(
        ([key, value]) => [known.get(key), value, `${key} in ${path}`] as const,
      ),
      (source) => `no such setting${didYouMean(source.split(' ', 1)[0] ?? '', [...known.keys()])}`,
    );
  } catch (error) {
    return { layer: {}, problems: [{ name: path, expected: `TOML: ${tomlFault(error)}` }] };
  }
}

function readLayer(
  entries: readonly (readonly [SettingName | undefined, unknown, string])[],
  explainUnknown: (source: string) => string = () => 'no such setting',
): LayerReading {
  const layer: { [Name in SettingName]?: RawSetting } = {};
  const problems: SettingProblem[] = [];
  for (const [name, value, source] of entries) {
    // The value of a misspelt name may be a secret.
    if (name === undefined) problems.push({ name: source, expected: explainUnknown(source) });
    else layer[name] = { value, source };
  }
  return { layer, problems };
}

/**
 * Kubernetes gives pods variables for the Services of their namespace (enableServiceLinks): with a Service named
 * `flux-pod`, `FLUX_POD_PORT=tcp://10.0.0.1:80` and more. They are none of ours.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function serviceLinks(environment: NodeJS.ProcessEnv): (variable: string) => boolean {
  const services = Object.keys(environment)
    .filter((variable) => variable.startsWith(prefix) && variable.endsWith('_SERVICE_HOST'))
    .map((variable) => variable.slice(0, -'_SERVICE_HOST'.length));
  return (variable) =>
    services.some((service) => {
      if (!variable.startsWith(`${service}_`)) return false;
      const rest = variable.slice(service.length + 1);
      if (rest === 'PORT') return /^(tcp|udp|sctp):\/\//i.test(environment[variable] ?? '');
      return /^(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(rest);
    });
}
