/**
 * What the agent costs beside a broker of four pods: memory when all is quiet, CPU with a probe every second, CPU of one probe, and the
 * same asked by starting `flux getattr`, as `kubectl exec` would.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectFlux } from '../../agent/flux/client.ts';
import { getState } from '../../agent/flux/services/state-machine.ts';
import { bedUnavailable, createBed } from '../support/bed.ts';
import { realFlux, startMiniCluster } from '../support/flux-pod.ts';
import { hostPid } from '../support/host-pid.ts';
import type { Pod } from '../support/pod.ts';
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
  await leader.waitForOutput(/^up$/m, 30_000);
  await delay(5000);
  console.log(`the agent beside a broker, four pods; ${watchSeconds} s with a probe every second`);
  console.log(row('', ['leader', 'follower']));
  const agents = [leader, follower].map((pod) => ({ pod, pid: agentPid(pod) }));
  const before = agents.map(({ pid }) => cpuSeconds(pid));
  for (let second = 0; second < watchSeconds; second++) {
    await Promise.all(agents.map(({ pod }) => ask(pod, '/readyz')));
    await delay(1000);
  }
  const used = agents.map(({ pid }, place) => cpuSeconds(pid) - (before[place] ?? 0));
  console.log(
    row(
      'CPU, % of a core',
      used.map((seconds) => ((100 * seconds) / watchSeconds).toFixed(3)),
    ),
  );
  console.log(
    row(
      'private memory, MiB',
      agents.map(({ pid }) => mebibytes(pid, 'RssAnon')),
    ),
  );
  console.log(
    row(
      'RSS, MiB',
      agents.map(({ pid }) => mebibytes(pid, 'VmRSS')),
    ),
  );
  const each = [];
  for (const { pod, pid } of agents) {
    const connection = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let warm = 0; warm < 500; warm++) await ask(pod, '/readyz', connection);
    const start = cpuSeconds(pid);
    for (let count = 0; count < probesAtOnce; count++) await ask(pod, '/readyz', connection);
    each.push((((cpuSeconds(pid) - start) / probesAtOnce) * 1000).toFixed(3));
    connection.destroy();
  }
  console.log(row('a probe of ready, ms of CPU', each));
  console.log(row('`flux getattr`, ms of CPU', [await getattrCost(leader), await getattrCost(follower)]));
  await Promise.all(pods.map((pod) => pod.kill()));
  console.log(row('1,000 state-machine.get, ms', [await roundTrips(flux.path)]));
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

/** The agent is the Node.js process that PID 1 started. */
const agentPid = (pod: Pod): number =>
  hostPid(
    pod,
    pod.processes().find(({ command, pid }) => /^(MainThread|node)/.test(command) && pid > 1)?.pid ?? 1,
  );

/** Seconds on a CPU, all threads (Documentation/scheduler/sched-stats.rst: nanoseconds first). */
function cpuSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

const mebibytes = (pid: number, name: string): string =>
  (
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  ).toFixed(1);

function ask(pod: Pod, path: string, agent?: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: pod.address, port: 8051, path, ...(agent && { agent }) }, (response) => {
      response.resume().once('end', resolve).once('error', reject);
    }).once('error', reject);
  });
}

/** Milliseconds of CPU for one `flux getattr`, by the shell's `times`. */
async function getattrCost(pod: Pod): Promise<string> {
  const loop = `i=0; while [ $i -lt ${processes} ]; do flux getattr rank >/dev/null; i=$((i+1)); done; times`;
  const { stdout } = await pod.exec([
    'sh',
    '-c',
    `eval "$(${process.cwd()}/dist/image/flux-pod env)"; ${loop}`,
  ]);
  const children = stdout.trim().split('\n').at(-1) ?? '';
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
  return ((seconds / processes) * 1000).toFixed(3);
}
