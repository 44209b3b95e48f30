/**
 * What the agent costs beside a broker of four pods: CPU of one probe, CPU with a probe every second and memory once V8 has compiled what that
 * needs, and the same asked by starting `flux getattr`, as `kubectl exec` would.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectFlux } from '../../agent/flux/client.ts';
import { getState } from '../../agent/flux/services/state-machine.ts';
import { agentProc, heldKb, openFiles } from '../support/bed/agent-process.ts';
import { statusOf, until } from '../support/bed/ask-pod.ts';
import { bedUnavailable, createBed } from '../support/bed/bed.ts';
import type { Pod } from '../support/bed/pod.ts';
import { installFluxPod, realFlux, startMiniCluster } from '../support/project/flux-pod.ts';
import { row } from './table.ts';

const watchSeconds = Number(process.env.BENCH_SECONDS ?? 60);
const probesAtOnce = 5000;
const processes = 50;

export async function health(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = realFlux();
  if (unavailable || !flux) return console.log(`health: SKIPPED, ${unavailable ?? 'there is no real flux'}`);
  await using bed = await createBed();
  const pods = startMiniCluster(bed, { size: 4, flux, command: ['sh', '-c', 'echo up; exec sleep 1000000'] });
  const [leader, follower] = pods as [Pod, Pod];
  const lines = transitionsOf(follower);
  await leader.waitForOutput(/^up$/m);
  const apart = await apartFromStatus(follower, await lines);
  await delay(5000);
  console.log(
    `the agent beside a broker, four pods; after a few thousand probes ${watchSeconds} s with a probe every second`,
  );
  console.log(row('', ['leader', 'follower', 'bare Node']));
  using bare = await startBareServer();
  const agents = [leader, follower].map((pod) => ({ host: pod.address, port: 8051, proc: agentProc(pod) }));
  const all = [...agents, bare];
  const each = [];
  for (const server of all) {
    const { proc } = server;
    const connection = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let warm = 0; warm < 500; warm++) await ask(server, '/readyz', connection);
    const start = cpuSeconds(proc);
    for (let count = 0; count < probesAtOnce; count++) await ask(server, '/readyz', connection);
    each.push((((cpuSeconds(proc) - start) / probesAtOnce) * 1000).toFixed(3));
    connection.destroy();
  }
  console.log(row('a probe of ready, ms of CPU', each));
  const before = all.map(({ proc }) => cpuSeconds(proc));
  for (let second = 0; second < watchSeconds; second++) {
    await Promise.all(all.map((server) => ask(server, '/readyz', false)));
    await delay(1000);
  }
  const used = all.map(({ proc }, place) => cpuSeconds(proc) - (before[place] ?? 0));
  console.log(
    row(
      'CPU, % of a core',
      used.map((seconds) => ((100 * seconds) / watchSeconds).toFixed(3)),
    ),
  );
  console.log(
    row(
      'private memory, MiB',
      all.map(({ proc }) => mebibytes(proc, 'RssAnon')),
    ),
  );
  console.log(
    row(
      'RSS, MiB',
      all.map(({ proc }) => mebibytes(proc, 'VmRSS')),
    ),
  );
  console.log(row('`flux getattr`, ms of CPU', [await getattrCost(leader), await getattrCost(follower)]));
  console.log(row('memory x after 100,000 probes', await grown(all, probeOften)));
  const restarted = [{ host: follower.address, port: 8051, proc: agentProc(follower) }];
  console.log(row('after 5 killed brokers', ['', ...(await grown(restarted, () => killOften(follower)))]));
  await Promise.all(pods.map((pod) => pod.kill()));
  console.log(row('/status after the log, ms', ['', ...apart]));
  console.log(row('1,000 state-machine.get, ms', [await roundTrips(flux.onHost)]));
}

interface Server {
  readonly host: string;
  readonly port: number;
  readonly proc: string;
}

/** What each holds after `act`, as a ratio to what it held before, and how many files more. */
async function grown(servers: readonly Server[], act: (server: Server) => Promise<void>): Promise<string[]> {
  const ratios: string[] = [];
  for (const server of servers) {
    const before = { kb: heldKb(server.proc, 'RssAnon'), files: openFiles(server.proc) };
    await act(server);
    const files = openFiles(server.proc) - before.files;
    ratios.push(
      `${(heldKb(server.proc, 'RssAnon') / before.kb).toFixed(2)}${files > 0 ? ` +${files} files` : ''}`,
    );
  }
  return ratios;
}

/** Over 16 connections. */
async function probeOften(server: Server): Promise<void> {
  const connections = new Agent({ keepAlive: true, maxSockets: 16 });
  let left = 100_000;
  const one = async () => {
    while (left-- > 0) await ask(server, '/readyz', connections);
  };
  await Promise.all(Array.from({ length: 16 }, one));
  connections.destroy();
}

async function killOften(pod: Pod): Promise<void> {
  for (let restarts = 1; restarts <= 5; restarts++) {
    await pod.exec(['kill', '-KILL', String((await statusOf(pod)).broker?.pid)]);
    await until(
      () => statusOf(pod),
      ({ broker }) => broker?.restarts === restarts && broker.state === 'run',
    );
  }
}

const transitions = ['config-sync->init', 'init->quorum', 'quorum->run'];

/** When the broker’s log says that it enters each of the last states. */
const transitionsOf = (pod: Pod) =>
  Promise.all(
    transitions.map(async (transition) => {
      await pod.waitForOutput(new RegExp(transition));
      return { state: transition.replace(/.*->/, ''), at: Date.now() };
    }),
  );

async function apartFromStatus(
  pod: Pod,
  lines: Awaited<ReturnType<typeof transitionsOf>>,
): Promise<string[]> {
  const { answer } = await until(
    () => statusOf(pod),
    ({ broker }) => broker?.state === 'run',
  );
  const milliseconds = lines.map(({ state, at }) => {
    const seen = answer.broker?.states.find(({ name }) => name === state);
    return Math.round(Date.parse(seen?.since ?? '') - at);
  });
  return [milliseconds.join(', ')];
}

/** A thousand questions to a broker on this machine, one after the other. */
async function roundTrips(flux: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-bench-'));
  const socket = join(directory, 'local');
  const broker = spawn(
    flux,
    [
      'broker',
      `-Srundir=${directory}`,
      `-Slocal-uri=local://${socket}`,
      '-Sbroker.rc1_path=',
      '-Sbroker.rc3_path=',
      'sleep',
      '60',
    ],
    { stdio: 'ignore', env: { PATH: process.env.PATH ?? '', HOME: directory } },
  );
  try {
    while (!existsSync(socket)) await delay(10);
    await delay(1000);
    using client = await connectFlux(socket);
    await getState(client);
    const startedAt = performance.now();
    for (let count = 0; count < 1000; count++) await getState(client);
    return (performance.now() - startedAt).toFixed(0);
  } finally {
    broker.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Seconds on a CPU, all threads (Documentation/scheduler/sched-stats.rst: nanoseconds first). */
function cpuSeconds(proc: string): number {
  const nanoseconds = readdirSync(`${proc}/task`).map((task) =>
    Number(readFileSync(`${proc}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

const mebibytes = (proc: string, what: 'RssAnon' | 'VmRSS'): string => (heldKb(proc, what) / 1024).toFixed(1);

/** What Node.js itself costs: its HTTP server, which says yes to everybody. */
async function startBareServer() {
  const program = `require('node:http').createServer((request, response) => response.end('{"ok":true}\\n'))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['--max-semi-space-size=2', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  return {
    host: '127.0.0.1',
    port: Number(line),
    proc: `/proc/${child.pid}`,
    [Symbol.dispose]: () => void child.kill(),
  };
}

/** `agent`: false for a connection of its own, as the kubelet has it. */
function ask(at: { host: string; port: number }, path: string, agent: Agent | false): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: at.host, port: at.port, path, agent }, (response) => {
      response.resume().once('end', resolve).once('error', reject);
    }).once('error', reject);
  });
}

/** Milliseconds of CPU for one `flux getattr`, by the shell's `times`. */
async function getattrCost(pod: Pod): Promise<string> {
  const loop = `i=0; while [ $i -lt ${processes} ]; do flux getattr rank >/dev/null; i=$((i+1)); done; times`;
  const { stdout } = await pod.exec(['sh', '-c', `eval "$(${installFluxPod()}/flux-pod env)"; ${loop}`]);
  const children = stdout.trim().split('\n').at(-1) ?? '';
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
  return ((seconds / processes) * 1000).toFixed(3);
}
