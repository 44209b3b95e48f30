import { ExitCode, PodError } from '../errors.ts';
import type { PodFacts } from '../pod/facts.ts';
import { type Configuration, type SettingValues, withDefaults } from './configuration.ts';
import type { Layer, RawSetting, SettingProblem, Sources } from './layers.ts';
import { operatorLayerOf } from './operator-layer.ts';
import { fluxUriLayer, podLayer } from './pod-layer.ts';
import { contradictions, missing } from './requirements.ts';
import { type SettingName, settingNames, settings, settingsOf } from './settings.ts';

export interface Resolution {
  readonly configuration: Configuration;
  /** Where each setting's value came from, and as what; absent where no source sets it. */
  readonly sources: Sources;
}

/**
 * Settles every setting: the first layer that has a value wins, then what is detected from the pod, then the Flux Operator's files, then the
 * default.
 * Throws a PodError (exit 78) that lists every problem at once.
 */
export function resolveConfiguration(
  facts: PodFacts,
  layers: readonly Layer[],
  found: { problems: readonly SettingProblem[]; terminal: boolean },
): Resolution {
  const problems = [...found.problems];
  const detected = [...layers, podLayer(facts, layers)];
  const { values, sources } = readLayers([...detected, operatorLayerOf(facts, detected)], problems);
  problems.push(...missing(values, sources), ...contradictions(values, sources, facts));
  return settle({ values, sources }, problems, facts, found);
}

/**
 * The same for `flux-pod attach`, which reads the instance from the broker: nothing is required, and settings that it does not read are
 * ignored.
 */
export function resolveAttachment(
  facts: PodFacts,
  layers: readonly Layer[],
  found: { problems: readonly SettingProblem[]; terminal: boolean },
): Resolution {
  const problems = [...found.problems];
  const read: readonly string[] = settingsOf('attach');
  const isRead = ([name]: [string, unknown]) => read.includes(name);
  const used = layers.map((layer): Layer => Object.fromEntries(Object.entries(layer).filter(isRead)));
  const reading = readLayers([...used, fluxUriLayer(facts), podLayer(facts, [])], problems);
  return settle(reading, problems, facts, found);
}

function settle(
  { values, sources }: ReturnType<typeof readLayers>,
  problems: readonly SettingProblem[],
  { hostname }: PodFacts,
  { terminal }: { readonly terminal: boolean },
): Resolution {
  if (problems.length > 0) throw configurationError(problems);
  return { configuration: withDefaults(values, { hostname, terminal }), sources };
}

/** One sentence for every problem, each with name, value and expectation. */
function configurationError(problems: readonly SettingProblem[]): PodError {
  const lines = problems.map(({ name, value, expected }) => {
    const shown = value === undefined ? name : `${name}=${JSON.stringify(value)?.slice(0, 80)}`;
    return `${shown}: ${/^no such|^TOML/.test(expected) ? expected : `expected ${expected}`}`;
  });
  const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`;
  return new PodError(
    ExitCode.configuration,
    `Cannot use this configuration, ${count}:\n  ${lines.join('\n  ')}`,
    {
      hint: '`flux-pod run --help` explains each setting.',
    },
  );
}

function readLayers(layers: readonly Layer[], problems: SettingProblem[]) {
  const values: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, RawSetting>> = {};
  for (const name of settingNames) {
    const raw = layers.map((layer) => layer[name]).find((candidate) => candidate !== undefined);
    if (raw === undefined) continue;
    sources[name] = raw;
    const value = settings[name].read(raw.value);
    if (value === undefined) problems.push(problemWith(name, raw));
    else values[name] = value;
  }
  return { values: values as SettingValues, sources };
}

/** What was set for a secret may be the secret itself, where a path to it was expected. */
function problemWith(name: SettingName, { value, source }: RawSetting): SettingProblem {
  const { expected, secret } = settings[name];
  if (!secret) return { name: source, value, expected };
  return { name: source, expected: `${expected}, got something else (not shown: it may be a secret)` };
}
