import { isIP } from 'node:net';
import { parseTopology } from '../cluster/topology.ts';
import { ExitCode, messageOf, PodError } from '../errors.ts';
import type { PodFacts } from '../pod/facts.ts';
import { firstLabel, parsePodHostname, readIdentity } from '../pod/identity.ts';
import type { HostPort, OnFailure, Resources } from './kinds.ts';
import type { Layer, Problem, RawSetting } from './layers.ts';
import {
  environmentName,
  readSetting,
  type SettingName,
  type SettingValues,
  settingNames,
  settings,
} from './settings.ts';

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
 * Settles every setting: the first layer that has a value wins, then what the pod tells, then the default.
 * Throws a PodError (exit 78) that lists every problem at once.
 */
export function resolveConfiguration(
  facts: PodFacts,
  layers: readonly Layer[],
  found: { problems: readonly Problem[]; terminal: boolean },
): Resolution {
  const problems = [...found.problems];
  const chosen = layers.map((layer) => layer.interface?.value).find((name) => typeof name === 'string');
  const { values, sources } = readLayers([...layers, podLayer(facts, chosen)], problems);
  problems.push(...missing(values, sources), ...contradictions(values, sources, facts));
  if (problems.length > 0) throw configurationError(problems);
  return { configuration: withDefaults(values, facts, found.terminal), sources };
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
      hint: '`flux-pod config` shows every setting with its source.',
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
    else problems.push({ name: raw.source, value: raw.value, expected: settings[name].expected });
  }
  return { values: values as SettingValues, sources };
}

const thePod = 'the pod';

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

/** What must be known and is not. */
function missing(values: SettingValues, sources: Sources): Problem[] {
  const absent = (name: SettingName, expected: string): Problem[] =>
    sources[name] === undefined ? [{ name: environmentName(name), expected }] : [];
  const alone = (values.maxSize ?? values.size ?? 1) === 1 && values.hosts === undefined;
  return [
    ...absent('size', 'the number of pods, from 1'),
    ...absent('index', "this pod's completion index: neither JOB_COMPLETION_INDEX nor the hostname tells it"),
    ...absent('cluster', "the Job's name: the hostname does not tell it"),
    // An interface that was asked for and has none is a contradiction, told below.
    ...(sources.interface ? [] : absent('address', "this pod's address: no interface has one")),
    ...(alone
      ? []
      : [
          ...absent(
            'service',
            'the headless Service: set subdomain in the pod template, so that /etc/hosts names it',
          ),
          ...absent('namespace', 'the namespace: neither /etc/hosts nor /etc/resolv.conf tells it'),
        ]),
  ];
}

/** Settings that are right each for itself but not together. */
function contradictions(values: SettingValues, sources: Sources, facts: PodFacts): Problem[] {
  const problems: Problem[] = [];
  const complain = (name: SettingName, expected: string) => {
    const source = sources[name]?.source;
    const written = source === undefined || source === thePod ? environmentName(name) : source;
    problems.push({ name: written, value: values[name], expected });
  };
  const { size, index, cluster, mode, tasks, hosts, leader, topo } = values;
  const maxSize = values.maxSize ?? size;
  if (size !== undefined && values.minSize !== undefined && values.minSize > size) {
    complain('minSize', `at most the size, ${size}`);
  }
  if (size !== undefined && maxSize !== undefined && maxSize < size)
    complain('maxSize', `at least the size, ${size}`);
  if (index !== undefined && maxSize !== undefined && index >= maxSize && hosts === undefined) {
    complain(
      'index',
      `an index below the ${maxSize} hosts of the instance (FLUX_POD_MAX_SIZE, else FLUX_POD_SIZE)`,
    );
  }
  const named = parsePodHostname(facts.hostname);
  if (named && named.cluster === cluster && index !== undefined && named.index !== index) {
    complain('index', `${named.index}, which the hostname ${facts.hostname} ends in`);
  }
  if (mode !== 'submit' && tasks !== undefined) complain('tasks', 'FLUX_POD_MODE=submit with it');
  if (leader !== undefined && hosts === undefined)
    complain('leader', 'FLUX_POD_HOSTS with it: the ranks of both clusters');
  if (values.address !== undefined && !holds(facts, values.address)) {
    complain('address', `an address that an interface of this pod holds (${listAddresses(facts)})`);
  }
  if (
    values.interface !== undefined &&
    !facts.interfaces.some((held) => held.interface === values.interface)
  ) {
    complain(
      'interface',
      `an interface that has an address (${[...new Set(facts.interfaces.map((held) => held.interface))].join(', ')})`,
    );
  }
  if (values.api === 'on' && values.apiTokens === undefined && !isLoopback(values.apiListen?.host)) {
    complain(
      'apiTokens',
      'the mounted Secret with the tokens of the API, or FLUX_POD_API_LISTEN=127.0.0.1:8052 for this pod only',
    );
  }
  if ((values.apiTlsCert === undefined) !== (values.apiTlsKey === undefined)) {
    complain(
      values.apiTlsCert === undefined ? 'apiTlsCert' : 'apiTlsKey',
      'both certificate and key, or neither',
    );
  }
  if (topo !== undefined) {
    try {
      parseTopology(topo);
    } catch (error) {
      complain('topo', `${settings.topo.expected} (${messageOf(error)})`);
    }
  }
  return problems;
}

/** Whether only this pod itself reaches what listens there. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined &&
  (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')));

/** Any address of 127.0.0.0/8 can be bound to where a loopback interface is up. */
const holds = (facts: PodFacts, address: string): boolean =>
  address.startsWith('127.') || facts.interfaces.some((held) => held.address === address);

const listAddresses = (facts: PodFacts): string =>
  facts.interfaces.map(({ address }) => address).join(', ') || 'none';

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
    curveCert: values.curveCert ?? '/etc/flux-pod/curve/curve.cert',
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
    onFailure: values.onFailure ?? { hold: false },
    logLevel: values.logLevel ?? 'info',
    logFormat: values.logFormat ?? (terminal ? 'text' : 'json'),
    hostname: facts.hostname,
  });
}
