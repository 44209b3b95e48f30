/** The values of all settings, typed: what `Configuration` is and the defaults follow from the rows of settings.ts. */
import { type SettingName, type Settled, type Surroundings, settingNames, settings } from './settings.ts';

type Value<Name extends SettingName> = Exclude<ReturnType<(typeof settings)[Name]['read']>, undefined>;

/** What is set; without the defaults. */
export type SettingValues = { [Name in SettingName]?: Value<Name> };

/** All settings with their defaults. One that no source sets and that has no default is undefined. Durations are in seconds. */
export type Configuration = {
  readonly [Name in SettingName]: undefined extends (typeof settings)[Name]['default']
    ? Value<Name> | undefined
    : Value<Name>;
} & {
  /** gethostname(2) of this pod. */
  readonly hostname: string;
};

/** `values` and, in the order of the rows, a default for each setting that has no value. */
export function withDefaults(values: SettingValues, surroundings: Surroundings): Configuration {
  const settled: Partial<Record<SettingName | 'hostname', unknown>> = {};
  for (const name of settingNames) {
    const { default: fallback } = settings[name];
    settled[name] =
      values[name] ??
      (typeof fallback === 'function' ? fallback(settled as Settled, surroundings) : fallback);
  }
  settled.hostname = surroundings.hostname;
  return Object.freeze(settled as Configuration);
}
