import type { HostPort } from '../address.ts';
import { ExitCode, PodError } from '../errors.ts';
import type { PodFacts } from '../pod/facts.ts';
import { firstLabel, readIdentity } from '../pod/identity.ts';
import { attachSettings } from './attach-settings.ts';
import { defaultCurveCert } from './defaults.ts';
import type { OnFailure, Resources } from './kinds.ts';
import type { Layer, Problem, RawSetting } from './layers.ts';
import { operatorLayer } from './operator-layer.ts';
import { contradictions, missing, thePod } from './requirements.ts';
import { readSetting, type SettingName, type SettingValues, settingNames, settings } from './settings.ts';

/** All settings, typed, with their defaults. Optional ones that nobody set are undefined. */
export interface Configuration {
  readonly size: number;
  readonly minSize: number;
  readonly maxSize: number;
  readonly cluster: string;
  readonly service: string | undefined;
  readonly namespace: string | undefined;
  readonly domain: string;
  readonly index: number;
  readonly address: string;
  readonly interface: string | undefined;
  readonly port: number;
  readonly mode: 'start' | 'submit' | 'batch' | 'interactive';
  readonly tasks: number | undefined;
  readonly curveCert: string;
  readonly topo: string;
  readonly resources: Resources;
  readonly hosts: string | undefined;
  readonly leader: HostPort | undefined;
  readonly nameservers: readonly HostPort[] | undefined;
  /** Seconds. */
  readonly peerTimeout: number | undefined;
  readonly flux: string | undefined;
  readonly brokerOptions: readonly string[];
  readonly brokerConfig: string | undefined;
  readonly dir: string | undefined;
  readonly stateDir: string | undefined;
  readonly hooks: string;
  readonly http: HostPort | 'off';
  readonly api: 'on' | 'off';
  readonly apiListen: HostPort;
  readonly apiTokens: string | undefined;
  readonly apiTlsCert: string | undefined;
  readonly apiTlsKey: string | undefined;
  /** Requests a second. */
  readonly apiRate: number;
  readonly ready: 'up' | 'joined' | 'run';
  /** Seconds. */
  readonly grace: number;
  /** The socket of somebody else's broker. */
  readonly socket: string | undefined;
  /** Seconds. */
  readonly linger: number | undefined;
  readonly onFailure: OnFailure;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly logFormat: 'json' | 'text';
  /** gethostname(2) of this pod. */
  readonly hostname: string;
}

export type Sources = Readonly<Partial<Record<SettingName, RawSetting>>>;

export interface Resolution {
  readonly configuration: Configuration;
  /** Where each setting's value came from, and as what; absent where nobody set it. */
  readonly sources: Sources;
}

/** Hosts up to which a flat tree is chosen; the Flux Operator's own fanout. */
const flatUpTo = 256;

/**
 * Settles every setting: the first layer that has a value wins, then what the pod tells, and what the Flux Operator has put into it, then
 * the default.
 * Throws a PodError (exit 78) that lists every problem at once.
 */
export function resolveConfiguration(
  facts: PodFacts,
  layers: readonly Layer[],
  found: { problems: readonly Problem[]; terminal: boolean },
): Resolution {
  const problems = [...found.problems];
  const chosen = layers.map((layer) => layer.interface?.value).find((name) => typeof name === 'string');
  const told = [...layers, podLayer(facts, chosen)];
  const { values, sources } = readLayers([...told, ...operatorLayers(facts, told)], problems);
  problems.push(...missing(values, sources), ...contradictions(values, sources, facts));
  if (problems.length > 0) throw configurationError(problems);
  return { configuration: withDefaults(values, facts, found.terminal), sources };
}

/**
 * The same for `flux-pod attach`, which asks the broker who it is: nothing is required, and what it has no use for is not looked at.
 */
export function resolveAttachment(
  facts: PodFacts,
  layers: readonly Layer[],
  found: { problems: readonly Problem[]; terminal: boolean },
): Resolution {
  const problems = [...found.problems];
  const uri: Layer = facts.fluxUri ? { socket: { value: facts.fluxUri, source: 'FLUX_URI' } } : {};
  const isUsed = ([name]: [string, unknown]) => (attachSettings as readonly string[]).includes(name);
  const used = layers.map((layer): Layer => Object.fromEntries(Object.entries(layer).filter(isUsed)));
  const { values, sources } = readLayers([...used, uri, podLayer(facts, undefined)], problems);
  if (problems.length > 0) throw configurationError(problems);
  return { configuration: withDefaults(values, facts, found.terminal), sources };
}

/** What the Flux Operator has put into the pod is asked last: it has written down names that the pod itself knows better. */
function operatorLayers({ operator }: PodFacts, told: readonly Layer[]): Layer[] {
  if (!operator) return [];
  const cluster = told.map((layer) => layer.cluster?.value).find((value) => typeof value === 'string');
  return [operatorLayer(operator, cluster)];
}

/** One sentence for every problem, each with name, value and expectation. */
export function configurationError(problems: readonly Problem[]): PodError {
  const lines = problems.map(({ name, value, expected }) => {
    const shown = value === undefined ? name : `${name}=${JSON.stringify(value)?.slice(0, 80)}`;
    return `${shown}: ${/^no such|^TOML/.test(expected) ? expected : `expected ${expected}`}`;
  });
  const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`;
  return new PodError(
    ExitCode.configuration,
    `Cannot use this configuration, ${count}:\n  ${lines.join('\n  ')}`,
    {
      hint: '`flux-pod run --help` says what each setting means.',
    },
  );
}

function readLayers(layers: readonly Layer[], problems: Problem[]) {
  const values: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, RawSetting>> = {};
  for (const name of settingNames) {
    const raw = layers.map((layer) => layer[name]).find((candidate) => candidate !== undefined);
    if (raw === undefined) continue;
    sources[name] = raw;
    const reading = readSetting(name, raw.value);
    if (reading) values[name] = reading.value;
    else problems.push(problemWith(name, raw));
  }
  return { values: values as SettingValues, sources };
}

/** What was set for a secret may be the secret itself, where a path to it was expected. */
function problemWith(name: SettingName, { value, source }: RawSetting): Problem {
  const { expected, secret } = settings[name];
  if (!secret) return { name: source, value, expected };
  return { name: source, expected: `${expected}, got something else (not shown: it may be a secret)` };
}

function podLayer(facts: PodFacts, chosenInterface: string | undefined): Layer {
  const layer: { [Name in SettingName]?: RawSetting } = {};
  for (const [name, value] of Object.entries(readIdentity(facts, chosenInterface))) {
    layer[name as SettingName] = { value, source: thePod };
  }
  if (facts.completionIndex !== undefined) {
    layer.index = { value: facts.completionIndex, source: 'JOB_COMPLETION_INDEX' };
  }
  return layer;
}

/** Every address of this pod. */
const anyAddress = ({ address }: SettingValues): string => (address?.includes(':') ? '::' : '0.0.0.0');

function withDefaults(values: SettingValues, facts: PodFacts, terminal: boolean): Configuration {
  const size = values.size ?? 1;
  const maxSize = values.maxSize ?? size;
  return Object.freeze<Configuration>({
    size,
    minSize: values.minSize ?? size,
    maxSize,
    cluster: values.cluster ?? firstLabel(facts.hostname),
    service: values.service,
    namespace: values.namespace,
    domain: values.domain ?? 'cluster.local',
    index: values.index ?? 0,
    address: values.address ?? '',
    interface: values.interface,
    port: values.port ?? 8050,
    mode: values.mode ?? 'start',
    tasks: values.tasks,
    curveCert: values.curveCert ?? defaultCurveCert,
    topo: values.topo ?? (maxSize <= flatUpTo ? 'custom' : 'kary:128'),
    resources: values.resources ?? { from: 'auto' },
    hosts: values.hosts,
    leader: values.leader,
    nameservers: values.nameservers,
    peerTimeout: values.peerTimeout,
    flux: values.flux,
    brokerOptions: values.brokerOptions ?? [],
    brokerConfig: values.brokerConfig,
    dir: values.dir,
    stateDir: values.stateDir,
    hooks: values.hooks ?? '/etc/flux-pod/hooks.d',
    http: values.http ?? { host: anyAddress(values), port: 8051 },
    api: values.api ?? 'off',
    apiListen: values.apiListen ?? { host: anyAddress(values), port: 8052 },
    apiTokens: values.apiTokens,
    apiTlsCert: values.apiTlsCert,
    apiTlsKey: values.apiTlsKey,
    apiRate: values.apiRate ?? 2000,
    ready: values.ready ?? 'run',
    grace: values.grace ?? 25,
    socket: values.socket,
    linger: values.linger,
    onFailure: values.onFailure ?? { hold: false },
    logLevel: values.logLevel ?? 'info',
    logFormat: values.logFormat ?? (terminal ? 'text' : 'json'),
    hostname: facts.hostname,
  });
}
