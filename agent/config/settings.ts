/**
 * Every setting of flux-pod, once: its name, what it accepts, its default and its meaning. Flags, environment
 * variables, the TOML file, the table of docs/settings.md and the help are all derived from this list.
 */
import * as z from 'zod/mini';
import {
  absolutePath,
  domainName,
  duration,
  hostPort,
  label,
  listen,
  localSocket,
  nameservers,
  onFailure,
  resources,
  text,
  wholeNumber,
  words,
} from './kinds.ts';

/** One row of the settings table. */
interface Setting<Schema extends z.ZodMiniType> {
  readonly schema: Schema;
  /** Completes "expected ..." when a value is refused. */
  readonly expected: string;
  /** The default as the table shows it. */
  readonly default: string;
  readonly meaning: string;
  /** Names a secret: a value that is refused may be the secret itself, and is not shown. */
  readonly secret: boolean;
  /** The values that there are, where they can be listed. */
  readonly choices?: readonly string[];
}

const setting = <Schema extends z.ZodMiniType>(
  schema: Schema,
  row: Omit<Setting<Schema>, 'schema' | 'secret'>,
): Setting<Schema> => ({ schema, secret: false, ...row });

/** Flux's hostlist code reads ranges of at most 1 Mi hosts (flux-core src/common/libhostlist/hostlist.c). */
export const mostHosts = 1_048_576;

const aSize = (row: { default: string; meaning: string }) =>
  setting(wholeNumber(1, mostHosts), { expected: `a whole number from 1 to ${mostHosts}`, ...row });

const aLabel = (row: { default: string; meaning: string }) =>
  setting(label, { expected: 'a DNS label: a-z, 0-9 and inner hyphens, at most 63', ...row });

const aPath = (row: { default: string; meaning: string }) =>
  setting(absolutePath, { expected: 'an absolute path', ...row });

/** The path of what is mounted from a Secret. */
const aSecret = (row: { what: string; default: string; meaning: string }) => ({
  ...setting(absolutePath, { ...row, expected: `the absolute path of ${row.what}` }),
  secret: true,
});

const aChoice = <const Choices extends readonly [string, ...string[]]>(
  choices: Choices,
  row: { default: string; meaning: string },
) => setting(z.enum(choices), { expected: `one of ${choices.join(', ')}`, choices, ...row });

export const settings = {
  size: aSize({
    default: 'required',
    meaning: 'pods that the instance starts with; also its quorum unless `MIN_SIZE` says less',
  }),
  minSize: aSize({ default: 'size', meaning: 'brokers that must be online before the program starts' }),
  maxSize: aSize({
    default: 'size',
    meaning: 'hosts that the configuration names: how far the instance can grow',
  }),
  cluster: aLabel({
    default: 'read off the pod',
    meaning: "the Job's name, the part of the hostname before the index",
  }),
  service: aLabel({ default: 'read off the pod', meaning: 'the headless Service that publishes the pods' }),
  namespace: aLabel({ default: 'read off the pod', meaning: 'the namespace of the Service' }),
  domain: setting(domainName, {
    expected: 'a domain name',
    default: 'read off the pod, else `cluster.local`',
    meaning: "the cluster's domain: the end of `CLUSTER-INDEX.SERVICE.NAMESPACE.svc.DOMAIN`",
  }),
  index: setting(wholeNumber(0, mostHosts - 1), {
    expected: 'a whole number from 0',
    default: 'read off the pod',
    meaning: 'the completion index of this pod: `JOB_COMPLETION_INDEX`, else the end of the hostname',
  }),
  address: setting(z.union([z.ipv4(), z.ipv6()]), {
    expected: 'an IPv4 or IPv6 address',
    default: 'read off the pod',
    meaning: "the pod's own address, which the broker binds to",
  }),
  interface: setting(z.string().check(z.regex(/^[^\s/:]{1,15}$/)), {
    expected: 'the name of a network interface',
    default: "the one that holds the pod's address",
    meaning: 'the network interface whose address the broker binds to',
  }),
  port: setting(wholeNumber(1, 65_535), {
    expected: 'a port from 1 to 65535',
    default: '`8050`',
    meaning: 'the overlay port, the same in all pods',
  }),
  mode: aChoice(['start', 'submit', 'batch', 'interactive'], {
    default: '`start`',
    meaning:
      '`start`: COMMAND is the initial program of the instance; `submit`: COMMAND is one job over all nodes, watched; ' +
      '`batch`: each line of COMMAND is a job; `interactive`: no COMMAND, the instance stays up',
  }),
  tasks: setting(wholeNumber(1, 2 ** 31 - 1), {
    expected: 'a whole number from 1',
    default: 'one a node',
    meaning: 'tasks of the job that `submit` makes',
  }),
  curveCert: aSecret({
    what: 'a file, such as /etc/flux-pod/curve/curve.cert',
    default: '`/etc/flux-pod/curve/curve.cert`',
    meaning:
      'the CURVE certificate as mounted from the Secret; flux-pod copies it to a private file. Required when more than one host is named',
  }),
  topo: setting(text, {
    expected: 'kary:K, mincrit, mincrit:K, binomial or custom (flat)',
    default: '`custom` up to 256 hosts, else `kary:128`',
    meaning: 'the topology of the tree-based overlay network',
  }),
  resources: setting(resources, {
    expected: 'auto, discover, cores=N, "cores=N gpus=M", or the absolute path of an RFC 20 R file',
    default: '`auto`',
    meaning:
      'what each pod offers to jobs. `auto`: the cores and GPUs of the leader’s pod, as its cpuset and CPU limit allow, in every pod; ' +
      '`discover`: what hwloc finds in each (a pod that is replaced then offers nothing any more); `cores=N gpus=M`: that many; a path: an R (RFC 20) for all hosts',
  }),
  hosts: setting(text, {
    expected: 'an RFC 29 hostlist',
    default: 'none',
    meaning: "bursting: all hosts of the instance in rank order, in place of the cluster's own",
  }),
  leader: setting(hostPort, {
    expected: 'HOST:PORT',
    default: 'none',
    meaning: 'bursting: where the lead broker outside this cluster is reached',
  }),
  nameservers: setting(nameservers, {
    expected: 'addresses, each ADDRESS or ADDRESS:PORT',
    default: '`/etc/resolv.conf`',
    meaning: 'name servers to ask for the parent',
  }),
  peerTimeout: setting(duration, {
    expected: 'an RFC 23 duration such as 90s, 10m or 1.5h',
    default: 'none',
    meaning: 'give up waiting for the parent after this long, with exit code 69',
  }),
  flux: aPath({
    default: '`PATH`, `/opt/flux/bin`, `/mnt/flux/view/bin`, `/usr/local/bin`, `/usr/bin`',
    meaning: 'the `flux` to run, or the prefix or bin directory that holds it',
  }),
  brokerOptions: setting(words, {
    expected: 'words separated by white space',
    default: 'none',
    meaning: 'more options for `flux broker`, such as `-Scron.directory=/etc/cron`',
  }),
  brokerConfig: aPath({ default: 'none', meaning: 'a TOML file merged into broker.toml' }),
  dir: aPath({
    default: '`/run/flux-pod`, else a private directory in `/tmp`',
    meaning: 'run-time files: broker.toml, the certificate, and the socket at `DIR/run/local`',
  }),
  stateDir: aPath({ default: 'none', meaning: "the leader's persistent state (Flux's `statedir`)" }),
  hooks: aPath({
    default: '`/etc/flux-pod/hooks.d`',
    meaning: 'executables named after their stage: `init`, `pre`, `leader-pre`, `follower-pre`, `post`',
  }),
  http: setting(listen, {
    expected: 'HOST:PORT or off',
    default: '`0.0.0.0:8051`, in IPv6-only pods `[::]:8051`',
    meaning:
      'where probes, status and metrics are served over HTTP; `off`: only to `flux-pod` itself in the container',
  }),
  api: aChoice(['on', 'off'], {
    default: '`off`',
    meaning: '`on`: the leader serves the REST API and the web page',
  }),
  apiListen: setting(hostPort, {
    expected: 'HOST:PORT',
    default: '`0.0.0.0:8052`, in IPv6-only pods `[::]:8052`',
    meaning:
      'where the API is served: a port of its own, so that its clients never stand in the way of the probes',
  }),
  apiTokens: aSecret({
    what: 'a directory, such as /etc/flux-pod/api',
    default: 'none',
    meaning:
      'the mounted Secret with the tokens of the API: a directory with the files `read` and `write`, one token a line, watched for ' +
      'changes. Required unless the API listens on a loopback address only',
  }),
  apiTlsCert: aSecret({
    what: 'a file, such as /etc/flux-pod/tls/tls.crt',
    default: 'none',
    meaning: 'the certificate with which the API speaks TLS, as PEM; watched for changes',
  }),
  apiTlsKey: aSecret({
    what: 'a file, such as /etc/flux-pod/tls/tls.key',
    default: 'none',
    meaning: 'the private key of that certificate',
  }),
  apiRate: setting(wholeNumber(1, 1_000_000), {
    expected: 'a whole number from 1',
    default: '`2000`',
    meaning: 'requests a second that the API takes from one token, and twice as many at once',
  }),
  ready: aChoice(['up', 'joined', 'run'], {
    default: '`run`',
    meaning:
      'what readiness means: `up`: the agent supervises a broker; `joined`: the broker has joined; `run`: the leader also runs its program',
  }),
  grace: setting(duration, {
    expected: 'an RFC 23 duration such as 25s',
    default: '`25s`',
    meaning:
      'how long an orderly stop may take before the broker is killed; a little less than the terminationGracePeriodSeconds of the pod',
  }),
  socket: setting(localSocket, {
    expected: 'local://PATH or an absolute path, of at most 107 bytes',
    default: '`FLUX_URI`, `/mnt/flux/config/run/flux/local`, `/run/flux/local`',
    meaning: "`attach`: the local socket of somebody else's broker",
  }),
  linger: setting(duration, {
    expected: 'an RFC 23 duration such as 30s',
    default: "for ever, or until the Flux Operator's wait script has ended",
    meaning: '`attach`: how long it waits for a broker that has gone to come back, before it ends with 0',
  }),
  onFailure: setting(onFailure, {
    expected: 'exit, hold or hold:DURATION',
    default: '`exit`',
    meaning:
      '`hold`: keep a failed pod for a person to look into, until `flux-pod release`; `hold:1h`: for that long at most',
  }),
  logLevel: aChoice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: '`info`',
    meaning: "what the agent's log tells; the broker's log follows it",
  }),
  logFormat: aChoice(['json', 'text'], {
    default: '`text` on a terminal, else `json`',
    meaning: "how the agent's log is written, on stderr",
  }),
} as const;

export type SettingName = keyof typeof settings;

/** What was set, typed; defaults are not in it yet. */
export type SettingValues = { [Name in SettingName]?: z.output<(typeof settings)[Name]['schema']> };

export const settingNames = Object.keys(settings) as SettingName[];

/** `peerTimeout` -> `FLUX_POD_PEER_TIMEOUT` */
export const environmentName = (name: SettingName): string => `FLUX_POD_${tomlName(name).toUpperCase()}`;

/** `peerTimeout` -> `--peer-timeout` without the dashes */
export const flagName = (name: SettingName): string => tomlName(name).replaceAll('_', '-');

/** `peerTimeout` -> `peer_timeout` */
export const tomlName = (name: SettingName): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Reads one value by the schema of its setting: `{ value }`, or undefined when it is not what was expected. */
export function readSetting<Name extends SettingName>(
  name: Name,
  raw: unknown,
): { value: SettingValues[Name] } | undefined {
  const result = z.safeParse(settings[name].schema, raw);
  return result.success ? { value: result.data as SettingValues[Name] } : undefined;
}
