import { readFileSync, statSync } from 'node:fs';
import { availableParallelism, hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { bracketed, type HostPort, parseHostPort } from '../../../agent/address.ts';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { formatHostlist, parseHostlist } from '../../../agent/cluster/hostlist.ts';
import { parseIdset } from '../../../agent/cluster/idset.ts';
import { createTopology, parseTopology, type Tree } from '../../../agent/cluster/topology.ts';
import { parseDuration } from '../../../agent/duration.ts';

/** What a broker's command line and broker.toml set. */
export interface BrokerConfig {
  readonly rank: number;
  readonly size: number;
  readonly hosts: readonly string[];
  readonly host: string;
  readonly tree: Tree;
  readonly attributes: ReadonlyMap<string, string>;
  /** The path of the local socket; empty where there is none. */
  readonly socket: string;
  readonly bind: HostPort | undefined;
  readonly connect: HostPort | undefined;
  readonly publicKey: string;
  readonly connectTimeoutMs: number;
  readonly cores: number;
  readonly heartbeatMs: number;
  readonly program: readonly string[];
  /** What is in broker.toml now. Throws an Error with Flux's words around its parser's. */
  readonly readToml: () => TomlTable;
}

interface HostEntry {
  readonly host: string;
  readonly bind?: string;
  readonly connect?: string;
}

/** Reads `flux broker`'s arguments as flux-broker(1) and flux-config-bootstrap(5) say. Throws an Error with the real one's gist. */
export function readBrokerConfig(args: readonly string[]): BrokerConfig {
  const { attributes, configPath, program } = readArguments(args);
  const socket = (attributes.get('local-uri') ?? '').replace(/^local:\/\//, '');
  if (socket !== '') checkSocketDirectory(dirname(socket));
  const readToml = () => (configPath === undefined ? {} : readTomlFile(configPath));
  const toml = readToml() as Record<string, never>;
  const bootstrap: Record<string, unknown> = toml.bootstrap ?? {};
  const tbon: Record<string, unknown> = toml.tbon ?? {};
  const host = attributes.get('hostname') ?? hostname();
  const entries = expandHosts((bootstrap.hosts as HostEntry[] | undefined) ?? [{ host }]);
  const hosts = [...entries.keys()];
  const rank = hosts.indexOf(host);
  if (rank < 0) throw new Error(`${host} not found in hosts`);
  const topo = attributes.get('tbon.topo') ?? String(tbon.topo ?? 'custom');
  const tree = createTopology(parseTopology(topo), hosts.length);
  const uriOf = (of: number, key: 'bind' | 'connect') => {
    const name = hosts[of] ?? '';
    const template = entries.get(name)?.[key] ?? bootstrap[`default_${key}`];
    return endpoint(String(template ?? ''), name, String(bootstrap.default_port ?? ''));
  };
  const parent = tree.parentOf(rank);
  const facts = {
    rank,
    size: hosts.length,
    hostname: host,
    hostlist: formatHostlist(hosts),
    version: 'stand-in',
    'broker.pid': process.pid,
    'broker.starttime': performance.timeOrigin / 1000,
    'broker.quorum': attributes.get('broker.quorum') ?? hosts.length,
    'security.owner': process.getuid?.() ?? 0,
    'tbon.topo': topo,
    'tbon.level': tree.levelOf(rank),
    'tbon.descendants': tree.descendantCountOf(rank),
    ...(parent !== undefined && { 'tbon.parent-endpoint': formatEndpoint(uriOf(parent, 'connect')) }),
  };
  for (const [name, value] of Object.entries(facts)) attributes.set(name, String(value));
  return {
    rank,
    size: hosts.length,
    hosts,
    host,
    tree,
    attributes,
    socket,
    bind: tree.descendantCountOf(rank) > 0 ? uriOf(rank, 'bind') : undefined,
    connect: parent === undefined ? undefined : uriOf(parent, 'connect'),
    publicKey: hosts.length > 1 ? readPublicKey(bootstrap.curve_cert) : '',
    connectTimeoutMs: (parseDuration(String(tbon.connect_timeout ?? '30s')) ?? 30) * 1000,
    cores: coresIn(toml.resource),
    heartbeatMs: (parseDuration(attributes.get('heartbeat-period') ?? '2s') ?? 2) * 1000,
    program,
    readToml,
  };
}

function readArguments(args: readonly string[]) {
  const attributes = new Map<string, string>();
  let configPath: string | undefined;
  let next = 0;
  for (; next < args.length && args[next]?.startsWith('-'); next++) {
    const match = /^(-S|--setattr|-c|--config-path)(?:=)?(.*)$/s.exec(args[next] ?? '');
    if (!match) continue;
    const value = match[2] || args[++next] || '';
    if (match[1] === '-c' || match[1] === '--config-path') configPath = value;
    else attributes.set(value.split('=', 1)[0] ?? '', value.slice(value.indexOf('=') + 1));
  }
  return { attributes, configPath, program: args.slice(next) };
}

/** As rundir_checkdir does (flux-core src/broker/rundir.c). */
function checkSocketDirectory(path: string): void {
  const { uid, mode } = statSync(path);
  const refuse = (why: string) => new Error(`local-uri directory ${path} ${why}`);
  if (uid !== process.getuid?.()) throw refuse('is not owned by instance owner: Operation not permitted');
  if ((mode & 0o700) !== 0o700) throw refuse('does not have owner=rwx permissions');
}

function readTomlFile(path: string): TomlTable {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new Error(`Config file error: ${path}:${error.line}: ${error.message.split('\n', 1)[0]}`);
  }
}

/** Later entries for a host that is known add what is missing (flux-core src/common/libfluxutil/conf_bootstrap.c). */
function expandHosts(entries: readonly HostEntry[]): Map<string, HostEntry> {
  const hosts = new Map<string, HostEntry>();
  for (const entry of entries) {
    for (const host of parseHostlist(entry.host)) hosts.set(host, { ...entry, ...hosts.get(host), host });
  }
  return hosts;
}

/** `tcp://HOST:PORT` with %h and %p filled in; an interface's name stands for its first address. */
function endpoint(template: string, host: string, port: string): HostPort {
  const uri = template.replaceAll('%h', host).replaceAll('%p', port);
  const parsed = uri.startsWith('tcp://') ? parseHostPort(uri.slice('tcp://'.length)) : undefined;
  if (!parsed) throw new Error(`${uri} is no tcp endpoint`);
  const [held] = networkInterfaces()[parsed.host] ?? [];
  return { host: parsed.host === '*' ? '0.0.0.0' : (held?.address ?? parsed.host), port: parsed.port };
}

const formatEndpoint = ({ host, port }: HostPort): string => `tcp://${bracketed(host)}:${port}`;

function readPublicKey(path: unknown): string {
  if (typeof path !== 'string') throw new Error('curve_cert must be defined for size > 1');
  if ((statSync(path).mode & 0o077) !== 0)
    throw new Error(`Error loading certificate: ${path}: readable by group/other`);
  const reading = parseCertificate(readFileSync(path, 'utf8'));
  if ('damage' in reading) throw new Error(`Error loading certificate: ${path}: ${reading.damage}`);
  return reading.certificate.publicKey;
}

function coresIn(resource: { config?: { cores?: string }[] } | undefined): number {
  const [first] = resource?.config ?? [];
  return first?.cores === undefined ? availableParallelism() : parseIdset(first.cores).length;
}
