/**
 * Every setting of flux-pod, one row each: its name, its kind, its default, its meaning, and where it is read. All else follows from the
 * rows: the type `Configuration`, flags, FLUX_POD_ variables, keys of the TOML file, docs/settings.md, the help, the manual page and
 * completion.
 */
import { isIPv6 } from '../address.ts';
import { firstLabel } from '../pod/identity.ts';
import {
  aChoice,
  aDomain,
  aDuration,
  aHostPort,
  aHostPortOrOff,
  aLabel,
  anAddress,
  anInterface,
  aPath,
  aPort,
  aSecret,
  aSocket,
  aText,
  aWholeNumber,
  exitOrHold,
  type Kind,
  nameserverList,
  theResources,
  wordList,
} from './setting-kinds.ts';

/** What a default can depend on: settings of the rows above its own, */
export interface Settled {
  readonly size: number;
  readonly maxSize: number;
  readonly address: string;
}

/** and where the program runs. */
export interface Surroundings {
  /** gethostname(2) */
  readonly hostname: string;
  /** Whether stderr is a terminal. */
  readonly terminal: boolean;
}

interface Row<Value> {
  /** Without one, a setting that no source has is undefined. */
  readonly default?: Value | ((settled: Settled, surroundings: Surroundings) => Value);
  /** The default as the reference shows it, where that is no number and no text. */
  readonly shown?: string;
  readonly meaning: string;
  /** Detected from the pod (pod-layer.ts) where no source sets it. */
  readonly detected?: true;
  /** The default is for `flux-pod attach` alone: requirements.ts refuses a pod that lacks the value. */
  readonly required?: true;
  /** The verbs that read it; `run` stands for `doctor` and `config` as well. Without a list, `run` alone. */
  readonly readBy?: readonly ('run' | 'attach')[];
}

type Setting<Value, Default> = Kind<Value> & Omit<Row<unknown>, 'default'> & { readonly default: Default };

const setting = <Value, const Given extends Row<Value>>(kind: Kind<Value>, row: Given) =>
  ({ ...kind, ...row }) as unknown as Setting<
    Value,
    Given extends { default: infer Default } ? Default : undefined
  >;

/** Flux's hostlist code reads ranges of at most 1 Mi hosts (flux-core src/common/libhostlist/hostlist.c). */
const mostHosts = 1_048_576;

/** Hosts up to which a flat tree is chosen; the Flux Operator's own fanout. */
const flatUpTo = 256;

const aSize = aWholeNumber(1, mostHosts, `a whole number from 1 to ${mostHosts}`);

const everyAddress = (port: number) => ({
  default: ({ address }: Settled) => ({ host: isIPv6(address) ? '::' : '0.0.0.0', port }),
  shown: `\`0.0.0.0:${port}\`, in IPv6-only pods \`[::]:${port}\``,
});

export const settings = {
  size: setting(aSize, {
    default: 1,
    required: true,
    meaning: 'pods that the instance starts with; also its quorum unless `MIN_SIZE` is less',
  }),
  minSize: setting(aSize, {
    default: ({ size }) => size,
    shown: 'size',
    meaning: 'brokers that must be online before the program starts',
  }),
  maxSize: setting(aSize, {
    default: ({ size }) => size,
    shown: 'size',
    meaning: 'hosts that the configuration names: how far the instance can grow',
  }),
  cluster: setting(aLabel, {
    default: (_, { hostname }) => firstLabel(hostname),
    detected: true,
    required: true,
    meaning: "the Job's name, the part of the hostname before the index",
  }),
  service: setting(aLabel, {
    detected: true,
    meaning: 'the headless Service that publishes the pods',
  }),
  namespace: setting(aLabel, { detected: true, meaning: 'the namespace of the Service' }),
  domain: setting(aDomain, {
    default: 'cluster.local',
    detected: true,
    meaning: "the cluster's domain: the end of `CLUSTER-INDEX.SERVICE.NAMESPACE.svc.DOMAIN`",
  }),
  index: setting(aWholeNumber(0, mostHosts - 1), {
    default: 0,
    detected: true,
    required: true,
    meaning: 'the completion index of this pod: `JOB_COMPLETION_INDEX`, else the end of the hostname',
  }),
  address: setting(anAddress, {
    default: '',
    detected: true,
    required: true,
    meaning: "the pod's own address, which the broker binds to",
  }),
  interface: setting(anInterface, {
    detected: true,
    shown: "the one that holds the pod's address",
    meaning: 'the network interface whose address the broker binds to',
  }),
  port: setting(aPort, { default: 8050, meaning: 'the overlay port, the same in all pods' }),
  mode: setting(aChoice('start', 'submit', 'batch', 'interactive'), {
    default: 'start',
    meaning:
      '`start`: COMMAND is the initial program of the instance; `submit`: COMMAND is one job over all nodes, watched; ' +
      '`batch`: each line of COMMAND is a job; `interactive`: no COMMAND, the instance stays up',
  }),
  tasks: setting(aWholeNumber(1, 2 ** 31 - 1), {
    shown: 'one a node',
    meaning: 'tasks of the job that `submit` makes',
  }),
  curveCert: setting(aSecret('a file, such as /etc/flux-pod/curve/curve.cert'), {
    default: '/etc/flux-pod/curve/curve.cert',
    meaning:
      'the CURVE certificate as mounted from the Secret; flux-pod copies it to a private file. Required when more than one host is named',
  }),
  topo: setting(aText('kary:K, mincrit, mincrit:K, binomial or custom (flat)'), {
    default: ({ maxSize }) => (maxSize <= flatUpTo ? 'custom' : 'kary:128'),
    shown: `\`custom\` up to ${flatUpTo} hosts, else \`kary:128\``,
    meaning: 'the topology of the tree-based overlay network',
  }),
  resources: setting(theResources, {
    default: { from: 'auto' },
    shown: '`auto`',
    meaning:
      'what each pod offers to jobs. `auto`: the cores and GPUs of the leader’s pod, as its cpuset and CPU limit allow, in every pod; ' +
      '`discover`: what hwloc finds in each (a pod that is replaced then offers nothing any more); `cores=N gpus=M`: that many; a path: an R (RFC 20) for all hosts',
  }),
  hosts: setting(aText('an RFC 29 hostlist'), {
    meaning: "bursting: all hosts of the instance in rank order, in place of the cluster's own",
  }),
  leader: setting(aHostPort, {
    meaning: 'bursting: where the lead broker outside this cluster is reached',
  }),
  nameservers: setting(nameserverList, {
    shown: '`/etc/resolv.conf`',
    meaning: 'name servers to ask for the parent',
  }),
  peerTimeout: setting(aDuration('90s, 10m or 1.5h'), {
    meaning: 'give up waiting for the parent after this long, with exit code 69',
  }),
  flux: setting(aPath, {
    shown: '`PATH`, `/opt/flux/bin`, `/mnt/flux/view/bin`, `/usr/local/bin`, `/usr/bin`',
    meaning: 'the `flux` to run, or the prefix or bin directory that holds it',
  }),
  brokerOptions: setting(wordList, {
    default: [],
    shown: 'none',
    meaning: 'more options for `flux broker`, such as `-Scron.directory=/etc/cron`',
  }),
  brokerConfig: setting(aPath, { meaning: 'a TOML file merged into broker.toml' }),
  dir: setting(aPath, {
    shown: '`/run/flux-pod`, else a private directory in `/tmp`',
    meaning: 'run-time files: broker.toml, the certificate, and the socket at `DIR/run/flux/local`',
    readBy: ['run', 'attach'],
  }),
  stateDir: setting(aPath, { meaning: "the leader's persistent state (Flux's `statedir`)" }),
  hooks: setting(aPath, {
    default: '/etc/flux-pod/hooks.d',
    meaning: 'executables named after their stage: `init`, `pre`, `leader-pre`, `follower-pre`, `post`',
  }),
  http: setting(aHostPortOrOff, {
    ...everyAddress(8051),
    meaning:
      'where probes, status and metrics are served over HTTP; `off`: only to `flux-pod` itself in the container',
    readBy: ['run', 'attach'],
  }),
  api: setting(aChoice('on', 'off'), {
    default: 'off',
    meaning: '`on`: the leader serves the REST API and the web page',
  }),
  apiListen: setting(aHostPort, {
    ...everyAddress(8052),
    meaning:
      'where the API is served: a port of its own, so that its clients never stand in the way of the probes',
  }),
  apiTokens: setting(aSecret('a directory, such as /etc/flux-pod/api'), {
    meaning:
      'the mounted Secret with the tokens of the API: a directory with the files `read` and `write`, one token a line, watched for ' +
      'changes. Required unless the API listens on a loopback address only',
  }),
  apiTlsCert: setting(aSecret('a file, such as /etc/flux-pod/tls/tls.crt'), {
    meaning: 'the certificate with which the API speaks TLS, as PEM; watched for changes',
  }),
  apiTlsKey: setting(aSecret('a file, such as /etc/flux-pod/tls/tls.key'), {
    meaning: 'the private key of that certificate',
  }),
  apiRate: setting(aWholeNumber(1, 1_000_000), {
    default: 2000,
    meaning: 'requests a second that the API takes from one token, and twice as many at once',
  }),
  ready: setting(aChoice('up', 'joined', 'run'), {
    default: 'run',
    meaning:
      'what readiness means: `up`: the agent supervises a broker; `joined`: the broker has joined; `run`: the leader also runs its program',
    readBy: ['run', 'attach'],
  }),
  grace: setting(aDuration('25s'), {
    default: 25,
    shown: '`25s`',
    meaning:
      'how long an orderly stop may take before the broker is killed; a little less than the terminationGracePeriodSeconds of the pod',
  }),
  socket: setting(aSocket, {
    shown: '`FLUX_URI`, `/mnt/flux/config/run/flux/local`, `/run/flux/local`',
    meaning: "`attach`: the local socket of another program's broker",
    readBy: ['attach'],
  }),
  linger: setting(aDuration('30s'), {
    shown: "for ever, or until the Flux Operator's wait script has ended",
    meaning:
      '`attach`: how long it waits for another broker after one has exited, before it exits with code 0',
    readBy: ['attach'],
  }),
  idleTimeout: setting(aDuration('30m'), {
    shown: 'off',
    meaning:
      'shut down the instance, with exit code 0, when it has had no active job for so long: none that is pending, held or running; not before the program starts',
  }),
  onFailure: setting(exitOrHold, {
    default: { hold: false },
    shown: '`exit`',
    meaning:
      '`hold`: keep a failed pod for a person to look into, until `flux-pod release`; `hold:1h`: for that long at most',
  }),
  logLevel: setting(aChoice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
    default: 'info',
    meaning: "the level of the agent's log; the broker's log follows it",
    readBy: ['run', 'attach'],
  }),
  logFormat: setting(aChoice('json', 'text'), {
    default: (_, { terminal }) => (terminal ? 'text' : 'json'),
    shown: '`text` on a terminal, else `json`',
    meaning: "how the agent's log is written, on stderr",
    readBy: ['run', 'attach'],
  }),
} as const;

export type SettingName = keyof typeof settings;

export const settingNames = Object.keys(settings) as SettingName[];

/** `peerTimeout` -> `FLUX_POD_PEER_TIMEOUT` */
export const environmentName = (name: SettingName): string => `FLUX_POD_${tomlName(name).toUpperCase()}`;

/** `peerTimeout` -> `--peer-timeout` without the dashes */
export const flagName = (name: SettingName): string => tomlName(name).replaceAll('_', '-');

/** `peerTimeout` -> `peer_timeout` */
export const tomlName = (name: SettingName): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The settings that `run`, or `attach`, reads. */
export const settingsOf = (verb: 'run' | 'attach'): readonly SettingName[] =>
  settingNames.filter((name) => (settings[name].readBy ?? ['run']).includes(verb));
