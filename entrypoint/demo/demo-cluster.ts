import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HostPort } from '../../agent/address.ts';
import { formatCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../agent/broker/certificate/key-pair.ts';
import { type Nameserver, startNameserver } from './nameserver.ts';

/** One pod of the demo: an agent process with a loopback address for its own. */
export interface DemoPod {
  readonly name: string;
  readonly index: number;
  readonly pid: number;
  /** Its exit code, 128+N for a signal. */
  readonly ended: Promise<number>;
  readonly signal: (signal: NodeJS.Signals) => void;
}

export interface DemoCluster {
  readonly pods: readonly DemoPod[];
  readonly nameserver: Nameserver;
  readonly close: () => Promise<void>;
}

export interface DemoOptions {
  readonly size: number;
  readonly flux: string;
  /** The leader's program; without one the instance stays up until it is shut down. */
  readonly command: readonly string[];
  /** Where the leader serves the API and its page, if at all. */
  readonly web?: HostPort | undefined;
  /** A private directory for certificate and run-time files. */
  readonly directory: string;
  /** The script that Node.js runs as each agent; this program itself unless given. */
  readonly program?: string;
  /** Milliseconds from a pod's start until its name is published. */
  readonly publishAfterMs?: number;
  /** A whole line that a pod wrote. */
  readonly onLine: (pod: DemoPod, stream: 'stdout' | 'stderr', line: string) => void;
}

const cluster = 'demo';
const service = 'flux-service';
const namespace = 'default';
const domain = 'cluster.local';
/** In a cluster the endpoints controller publishes a pod's name about a second after its start; here it is quicker. */
const usualPublishMs = 200;

/** Starts `size` agents on 127.0.0.2 and up, with a DNS server that answers as a headless Service does. */
export async function startDemoCluster(options: DemoOptions): Promise<DemoCluster> {
  const { directory } = options;
  const certificate = join(directory, 'curve.cert');
  writeFileSync(certificate, formatCertificate(createCertificate({ name: cluster })), { mode: 0o600 });
  const nameserver = await startNameserver({
    address: '127.0.0.1',
    zone: domain,
    negativeTtl: 30,
    positiveTtl: 30,
  });
  const ports = { overlay: await freePort(addressOf(0)), http: await freePort(addressOf(0)) };
  const pods = Array.from({ length: options.size }, (_, index) =>
    startPod(index, ports, certificate, nameserver, options),
  );
  return {
    pods,
    nameserver,
    close: async () => {
      for (const pod of pods) pod.signal('SIGTERM');
      await Promise.all(pods.map((pod) => pod.ended));
      await nameserver.close();
    },
  };
}

function startPod(
  index: number,
  ports: { readonly overlay: number; readonly http: number },
  certificate: string,
  nameserver: Nameserver,
  { size, flux, command, web, directory, onLine, ...options }: DemoOptions,
): DemoPod {
  const name = `${cluster}-${index}`;
  const child = spawn(process.execPath, [options.program ?? process.argv[1] ?? '', 'run', '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: Ctrl-C reaches the demo alone, which then stops its pods as Kubernetes would.
    detached: true,
    // In a pod these come from the kubelet; this machine is no pod.
    env: {
      ...inherited(),
      JOB_COMPLETION_INDEX: String(index),
      FLUX_POD_SIZE: String(size),
      FLUX_POD_CLUSTER: cluster,
      FLUX_POD_SERVICE: service,
      FLUX_POD_NAMESPACE: namespace,
      FLUX_POD_DOMAIN: domain,
      FLUX_POD_ADDRESS: addressOf(index),
      FLUX_POD_PORT: String(ports.overlay),
      FLUX_POD_NAMESERVERS: `${nameserver.address}:${nameserver.port}`,
      FLUX_POD_CURVE_CERT: certificate,
      FLUX_POD_DIR: join(directory, name),
      FLUX_POD_FLUX: flux,
      FLUX_POD_HTTP: `${addressOf(index)}:${ports.http}`,
      FLUX_POD_RESOURCES: 'cores=1',
      FLUX_POD_LOG_FORMAT: 'json',
      // Ctrl-C ends a demo in a second, whatever its jobs do.
      FLUX_POD_GRACE: '800ms',
      ...(command.length === 0 && { FLUX_POD_MODE: 'interactive' }),
      ...(web && index === 0 && { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: `${web.host}:${web.port}` }),
    },
  });
  const published = setTimeout(
    () => nameserver.publish(`${name}.${service}.${namespace}.svc.${domain}`, addressOf(index)),
    options.publishAfterMs ?? usualPublishMs,
  );
  const pod: DemoPod = {
    name,
    index,
    pid: child.pid ?? 0,
    ended: endOf(child).finally(() => clearTimeout(published)),
    signal: (signal) => void child.kill(signal),
  };
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream] }).on('line', (line) => onLine(pod, stream, line));
  }
  return pod;
}

/** The environment without another instance's variables. */
const inherited = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^FLUX_|^JOB_COMPLETION_INDEX$/.test(name)),
  );

/** 127.0.0.2, 127.0.0.3, ...: all of 127.0.0.0/8 is this machine. */
const addressOf = (index: number): string => {
  const host = index + 2;
  return `127.0.${host >> 8}.${host & 255}`;
};

async function endOf(child: ChildProcess): Promise<number> {
  const [code, signal] = await once(child, 'close');
  const { endingOf } = await import('../../agent/broker/process/broker-process.ts');
  return endingOf(code, signal).code;
}

/** `preferred` where it is free, else any port that is. */
export async function freePort(host: string, preferred = 0): Promise<number> {
  const server = createServer().listen(preferred, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort(host);
  }
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
