import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Nameserver, startNameserver } from '../../../entrypoint/demo/nameserver.ts';
import { imageMounts } from '../project/flux-pod.ts';
import { launchPod, type Pod } from './pod.ts';
import { fqdnOf, type PodFile, type PodIdentity } from './pod-files.ts';
import { swallowTcp, toolPath } from './pod-sandbox.ts';

export interface BedOptions {
  /** TTL of negative and of positive answers in the nameserver's cache, in seconds, default 0; the Service's port, if it has one. */
  dns?: { negativeTtl?: number; positiveTtl?: number; servicePort?: number };
  /** Pods have an IPv6 address only. */
  ipv6Only?: boolean;
  /** The cluster domain, default `cluster.local`. */
  domain?: string;
}

export interface PodSpec {
  cluster: string;
  index: number;
  /** Default `flux-service`; undefined, given as such, is a pod without `subdomain`: it has no name in DNS. */
  service?: string | undefined;
  /** Default `default`. */
  namespace?: string;
  hostnameAsFqdn?: boolean;
  /** Beside what Kubernetes sets. */
  env?: Record<string, string>;
  command: readonly string[];
  /** Milliseconds from the start until the pod's record is there, default 0; Infinity: never. */
  publishAfter?: number;
  /** Files below /etc, /run, /tmp, /mnt or /flux_operator that are there before the start. */
  mounts?: Record<string, PodFile>;
  /** Default `ignore`. */
  stdin?: 'ignore' | 'pipe';
  /** Directories of this machine that outlive the pod, by their paths in it. */
  volumes?: Record<string, string>;
}

export interface Bed extends AsyncDisposable {
  /** Of its network namespace and its interface; those of its pods begin with it. */
  readonly name: string;
  readonly nameserver: Nameserver;
  readonly domain: string;
  /** Returns at once; `started` and `exited` tell of the rest. */
  startPod(spec: PodSpec): Pod;
  /** Kills every pod and removes every trace. */
  close(): Promise<void>;
}

/** Why no bed can be made here and what would help, or undefined if one can. */
export function bedUnavailable(): string | undefined {
  if (process.platform !== 'linux') return 'Pods need Linux namespaces: run these tests on Linux';
  if (process.getuid?.() !== 0)
    return 'Pods need root: run these tests with sudo, or in a privileged container';
  for (const [tool, from] of Object.entries({
    ip: 'iproute2',
    unshare: 'util-linux',
    setpriv: 'util-linux',
  })) {
    const found = toolPath.split(':').some((directory) => existsSync(join(directory, tool)));
    if (!found) return `Pods need the program "${tool}": install the package ${from}`;
  }
  const trial = `mount -t tmpfs tmpfs /tmp && mkdir /tmp/old && mount -t sysfs sysfs /sys &&
    ip link add name a type veth peer name b && ip link add name c type bridge && pivot_root /tmp /tmp/old`;
  const flags = ['--net', '--mount', '--uts', '--ipc', '--pid', '--fork'];
  const { status, stderr } = spawnSync('unshare', [...flags, 'sh', '-c', trial], { env: { PATH: toolPath } });
  if (status === 0) return undefined;
  return `Pods need namespaces, veth and bridge (CAP_SYS_ADMIN, CAP_NET_ADMIN): ${stderr}`.trim();
}

/**
 * A network of pods on this machine: one bridge, a nameserver on it, and pods that are kernel namespaces.
 *
 * The bridge has a network namespace to itself, where no firewall of the host (Docker's, say) filters what pods say to each
 * other; a cable leads from it to the host, whose end holds the nameserver's address. Pods have no route to anywhere else.
 * Rejects with what `ip` said if it cannot be made. See bedUnavailable.
 */
export async function createBed(options: BedOptions = {}): Promise<Bed> {
  await using undo = new AsyncDisposableStack();
  const domain = options.domain ?? 'cluster.local';
  const { name, number } = await claimName();
  undo.defer(() => removeNamespaces(name));
  const addressOf = (host: number) =>
    options.ipv6Only ? `fd88:0:0:${number.toString(16)}::${host.toString(16)}` : `10.88.${number}.${host}`;
  const cidrOf = (host: number) => `${addressOf(host)}/${options.ipv6Only ? 64 : 24}`;

  await ip(
    ['-n', name, '-batch', '-'],
    ['link add name br0 type bridge mcast_snooping 0', 'link set dev br0 up'],
  );
  await ip(['-batch', '-'], [`link add name ${name} type veth peer name host netns ${name}`]);
  undo.defer(() => ip(['link', 'del', 'dev', name]));
  await ip(['-batch', '-'], [`link set dev ${name} alias ${ownerAlias(process.pid)}`]);
  await ip(['-n', name, 'link', 'set', 'dev', 'host', 'master', 'br0', 'up']);
  if (options.ipv6Only) await writeFile(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '0');
  const nodad = options.ipv6Only ? 'nodad' : '';
  await ip(['-batch', '-'], [`link set dev ${name} up`, `address add ${cidrOf(1)} dev ${name} ${nodad}`]);

  const directory = await mkdtemp(join(tmpdir(), directoryPrefix(name)));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const nameserver = await startNameserver({ address: addressOf(1), port: 53, zone: domain, ...options.dns });
  undo.defer(() => nameserver.close());

  const pods: Pod[] = [];
  undo.defer(async () => {
    await Promise.allSettled(pods.map((pod) => pod.kill()));
  });

  const startPod = (spec: PodSpec): Pod => {
    const host = pods.length + 2;
    if (host > 254) throw new RangeError('Cannot start another pod: a bed has addresses for 253');
    const identity: PodIdentity = {
      name: `${spec.cluster}-${spec.index}`,
      index: spec.index,
      address: addressOf(host),
      namespace: spec.namespace ?? 'default',
      service: 'service' in spec ? spec.service : 'flux-service',
      domain,
      hostnameAsFqdn: spec.hostnameAsFqdn ?? false,
      nameserver: addressOf(1),
    };
    const [port, sandbox] = [`p${host}`, `${name}-p${host}`];
    const record = publication(nameserver, identity, spec.publishAfter ?? 0);
    const pod = launchPod({
      identity,
      directory: join(directory, port),
      network: { bed: name, sandbox, port, cidr: cidrOf(host) },
      command: spec.command,
      env: spec.env ?? {},
      files: spec.mounts ?? {},
      mounts: [
        ...imageMounts(),
        ...Object.entries(spec.volumes ?? {}).map(([to, from]) => ({ from, to, mode: 'rw' as const })),
      ],
      stdin: spec.stdin ?? 'ignore',
      surroundings: {
        setLink: (state) => ip(['-n', name, 'link', 'set', 'dev', port, state]),
        withdraw: record.withdraw,
        swallowTcp: () => ip([options.ipv6Only ? '-6' : '-4', '-n', sandbox, '-batch', '-'], swallowTcp),
      },
    });
    pods.push(pod);
    record.start();
    pod.exited.then(record.cancel, record.cancel);
    return pod;
  };

  const stack = undo.move();
  const close = () => stack.disposeAsync();
  return { name, nameserver, domain, startPod, close, [Symbol.asyncDispose]: close };
}

/** The pod's record, there `delay` ms after `start` unless it is withdrawn or cancelled before. */
function publication(nameserver: Nameserver, identity: PodIdentity, delay: number) {
  const { address } = identity;
  const fqdn = fqdnOf(identity);
  let timer: NodeJS.Timeout | undefined;
  const cancel = () => clearTimeout(timer);
  const start = () => {
    if (fqdn === undefined || delay === Number.POSITIVE_INFINITY) return;
    if (delay === 0) nameserver.publish(fqdn, address);
    else timer = setTimeout(() => nameserver.publish(fqdn, address), delay);
  };
  const withdraw = () => {
    cancel();
    if (fqdn !== undefined) nameserver.withdraw(fqdn, address);
  };
  return { start, cancel, withdraw };
}

const namePattern = /^fpb(\d+)$/;
const directoryPrefix = (name: string) => `flux-pod-${name}-`;
const ownerAlias = (pid: number) => `flux-pod-bed-of-${pid}`;

/** A network namespace with a name of its own: `ip netns add` decides. Sweeps up after runners that were killed. */
async function claimName(): Promise<{ name: string; number: number }> {
  await removeAbandoned();
  const first = Math.floor(Math.random() * 256);
  for (let step = 0; step < 256; step += 1) {
    const number = (first + step) % 256;
    const name = `fpb${number}`;
    try {
      await ip(['netns', 'add', name]);
      return { name, number };
    } catch (error) {
      if (!String(error).includes('File exists')) throw error;
    }
  }
  throw new Error('Cannot make a bed: all 256 are taken; see "ip netns"');
}

async function removeAbandoned(): Promise<void> {
  for (const name of readdirSync('/sys/class/net').filter((name) => namePattern.test(name))) {
    try {
      const alias = readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim();
      const [, pid] = /^flux-pod-bed-of-(\d+)$/.exec(alias) ?? [];
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
      const left = readdirSync(tmpdir()).filter((entry) => entry.startsWith(directoryPrefix(name)));
      await Promise.all(left.map((entry) => rm(join(tmpdir(), entry), { recursive: true, force: true })));
      await ip(['link', 'del', 'dev', name]);
      await removeNamespaces(name);
    } catch {
      // Another runner was quicker.
    }
  }
}

/** Removes the bed's network namespace and those of its pods. */
async function removeNamespaces(name: string): Promise<void> {
  const all = readdirSync('/run/netns').filter((entry) => entry === name || entry.startsWith(`${name}-p`));
  await ip(
    ['-batch', '-'],
    all.map((entry) => `netns del ${entry}`),
  );
}

/** Runs ip(8), with the lines of a batch if there are any; rejects with what it says. */
async function ip(args: string[], batch: readonly string[] = []): Promise<void> {
  const run = promisify(execFile)('ip', args, { env: { PATH: toolPath } });
  // An `ip` that ended early says why in its exit, not in a broken pipe.
  run.child.stdin?.on('error', () => {}).end(batch.map((line) => `${line}\n`).join(''));
  await run;
}
