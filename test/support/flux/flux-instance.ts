/** Brokers of one instance on loopback addresses, started and ended one by one: without pods, agents or root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { endingOf } from '../../../agent/broker/process/broker-process.ts';
import type { Flux } from '../project/flux-pod.ts';

export interface BrokerProcess {
  /** The path of its local socket. */
  readonly socket: string;
  readonly child: ChildProcess;
  /** What it has written on stderr. */
  readonly log: () => string;
  readonly exited: Promise<number>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Waits until its log has a line; throws when it ends before, or after `timeoutMs`. */
  readonly says: (line: RegExp, timeoutMs?: number) => Promise<void>;
  /** Waits until it has ended, which it must soon. */
  readonly ends: (timeoutMs?: number) => Promise<number>;
}

export interface FluxInstance extends AsyncDisposable {
  /** Resolves when its local socket takes connections. */
  readonly start: (rank: number, ...program: string[]) => Promise<BrokerProcess>;
  /** What is in broker.toml from now on. */
  readonly configure: (text: string) => void;
  readonly toml: string;
}

export interface FluxInstanceOptions {
  readonly size: number;
  readonly quorum?: number;
  readonly topo?: string;
  /** False: none are run, and real Flux loads nothing for them. */
  readonly jobs?: boolean;
  /** Attributes of all brokers, beside those that every test needs, or in their place. */
  readonly attributes?: Readonly<Record<string, string>>;
}

export async function createFluxInstance(
  flux: Flux,
  { size, quorum = size, topo = 'kary:2', jobs = true, attributes: more = {} }: FluxInstanceOptions,
): Promise<FluxInstance> {
  const directory = mkdtempSync(join(tmpdir(), 'flux-'));
  const path = (name: string) => join(directory, name);
  const port = await freePort();
  writeFileSync(path('curve.cert'), formatCertificate(createCertificate({ name: 'test' })), { mode: 0o600 });
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const hosts = ranks.map((rank) => {
    const endpoint = `tcp://${addressOf(rank)}:${port}`;
    return `  { host = "mc-${rank}", bind = "${endpoint}", connect = "${endpoint}" },`;
  });
  const toml = [
    '[bootstrap]',
    `curve_cert = "${path('curve.cert')}"`,
    `hosts = [\n${hosts.join('\n')}\n]`,
    `[tbon]\ntopo = "${topo}"`,
    '[resource]\nnoverify = true',
    `[[resource.config]]\nhosts = "mc-[0-${size - 1}]"\ncores = "0-1"\n`,
  ].join('\n');
  const configure = (text: string) => writeFileSync(path('broker.toml'), text);
  configure(toml);
  const brokers: BrokerProcess[] = [];
  const start = async (rank: number, ...program: string[]): Promise<BrokerProcess> => {
    mkdirSync(path(`run-${rank}`), { recursive: true, mode: 0o700 });
    const socket = path(`run-${rank}/local`);
    rmSync(socket, { force: true });
    const attributes = {
      hostname: `mc-${rank}`,
      rundir: path(`run-${rank}`),
      'local-uri': `local://${socket}`,
      'log-stderr-mode': 'local',
      'log-stderr-level': '6',
      ...(rank === 0 && { 'broker.quorum': String(quorum) }),
      ...(!jobs && { 'broker.rc1_path': '', 'broker.rc3_path': '' }),
      ...(rank === 0 && program.length === 0 && { 'broker.rc2_none': '1' }),
      ...more,
    };
    const options = Object.entries(attributes).map(([name, value]) => `-S${name}=${value}`);
    const child = spawn(
      flux.onHost,
      ['broker', `--config-path=${path('broker.toml')}`, ...options, ...program],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // The broker hangs up its process group when it leads one.
        detached: true,
      },
    );
    const broker = watchBroker(child, socket);
    brokers.push(broker);
    while (child.exitCode === null && child.signalCode === null && !(await accepts(socket))) await delay(2);
    return broker;
  };
  return {
    start,
    configure,
    toml,
    [Symbol.asyncDispose]: async () => {
      for (const { signal } of brokers) signal('SIGKILL');
      await Promise.all(brokers.map(({ exited }) => exited));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function watchBroker(child: ChildProcess, socket: string): BrokerProcess {
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => (log += text));
  child.stdout?.setEncoding('utf8').on('data', (text) => (log += text));
  const exited = once(child, 'close').then(([code, signal]) => endingOf(code, signal).code);
  return {
    socket,
    child,
    log: () => log,
    exited,
    signal: (signal) => void child.kill(signal),
    says: async (line, timeoutMs = 60_000) => {
      const end = Date.now() + timeoutMs;
      while (!line.test(log)) {
        const over = child.exitCode !== null || child.signalCode !== null || Date.now() > end;
        if (over) throw new Error(`The broker has not said ${line} but:\n${log}`);
        await delay(5);
      }
    },
    ends: async (timeoutMs = 60_000) => {
      const timeout = new AbortController();
      const late = delay(timeoutMs, undefined, { signal: timeout.signal }).then(() => {
        throw new Error(`The broker has not ended but:\n${log}`);
      });
      return Promise.race([exited, late]).finally(() => timeout.abort());
    },
  };
}

/** The socket's file is there a moment before the broker listens. */
const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

/** 127.0.0.2 and up: all of 127.0.0.0/8 is this machine. */
const addressOf = (rank: number): string => `127.0.${(rank + 2) >> 8}.${(rank + 2) & 255}`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, addressOf(0));
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
