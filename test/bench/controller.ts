/**
 * The controller in a process of its own, and an API server in memory, whose pods are ready at once, in this one: what it takes to reconcile 10,
 * 100 and 1,000 MiniClusters, what a change costs, what it holds, and what it asks while nothing happens.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathOf, resources } from '../../controller/kubernetes/resources.ts';
import type { MiniClusterStatus } from '../../controller/reconcile/minicluster-status.ts';
import { heldKb } from '../support/bed/agent-process.ts';
import { type MemoryApiServer, startApiServer } from '../support/kubernetes/api-server.ts';
import { miniCluster } from '../support/kubernetes/controller-bed.ts';
import type { Stored } from '../support/kubernetes/object-store.ts';
import { medianOf, row } from './table.ts';

const sizes = [10, 100, 1000];
const changes = 200;
const idleMs = 10_000;
const budgets = { mebibytes: 256, p99: 100 };

export async function controller(): Promise<void> {
  console.log('the controller, MiniClusters of two pods with all that is rendered for them');
  console.log(row('', sizes.map(String)));
  const all: Awaited<ReturnType<typeof measure>>[] = [];
  for (const size of sizes) all.push(await measure(size));
  const line = (name: string, value: (figures: (typeof all)[number]) => string) =>
    console.log(row(name, all.map(value)));
  line('created at once, s', ({ created }) => (created / 1000).toFixed(2));
  line('requests for each', ({ creation }) => creation.toFixed(1));
  line('a change, ms, p50', ({ p50 }) => p50.toFixed(1));
  line('a change, ms, p99', ({ p99 }) => p99.toFixed(1));
  line('requests for a change', ({ perChange }) => perChange.toFixed(1));
  line('50 more at once, s', ({ fifty }) => (fifty / 1000).toFixed(2));
  line('requests in 10 s of nothing', ({ idle }) => String(idle));
  line('RSS, MiB', ({ mebibytes }) => mebibytes.toFixed(0));
  line('RSS at most, MiB', ({ peak }) => peak.toFixed(0));
  line('started again, s', ({ restarted }) => (restarted / 1000).toFixed(2));
  const last = all.at(-1);
  if (!last) return;
  const within = last.mebibytes <= budgets.mebibytes && last.p99 <= budgets.p99 && last.idle === 0;
  console.log(
    `budgets with 1,000 (${budgets.mebibytes} MiB, p99 ${budgets.p99} ms, none idle): ${within ? 'held' : 'MISSED'}`,
  );
}

async function measure(size: number) {
  await using server = await startApiServer();
  readyPods(server);
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-bench-controller-'));
  let child = await startProcess(server, directory);
  try {
    const nameOf = (index: number) => `mc-${String(index).padStart(4, '0')}`;
    const names = Array.from({ length: size }, (_, index) => nameOf(index));
    const created = await createAll(server, names);
    await quiet(server);
    const creation = server.requests.filter(isNoList).length / size;

    const before = server.requests.length;
    const times: number[] = [];
    for (let change = 0; change < changes; change++) {
      const name = names[(change * 7) % size] ?? '';
      times.push(await changeOne(server, name));
    }
    await quiet(server);
    const perChange = (server.requests.length - before) / changes;

    const fifty = await createAll(
      server,
      Array.from({ length: 50 }, (_, index) => `more-${index}`),
    );
    await quiet(server);
    const idleFrom = server.requests.length;
    await delay(idleMs);
    const idle = server.requests.length - idleFrom;
    const mebibytes = heldKb(`/proc/${child.pid}`, 'VmRSS') / 1024;
    const peak = heldKb(`/proc/${child.pid}`, 'VmHWM') / 1024;

    await stop(child);
    const startedAt = performance.now();
    child = await startProcess(server, directory);
    const restarted = performance.now() - startedAt;
    times.sort((a, b) => a - b);
    const p99 = times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN;
    return {
      created,
      creation,
      p50: medianOf(times),
      p99,
      perChange,
      fifty,
      idle,
      mebibytes,
      peak,
      restarted,
    };
  } finally {
    await stop(child);
    rmSync(directory, { recursive: true, force: true });
  }
}

const isNoList = ({ method, path, query }: MemoryApiServer['requests'][number]) =>
  method !== 'GET' || !(query.has('watch') || query.has('limit') || path.endsWith('/miniclusters'));

/** Resolves when it watches everything. */
async function startProcess({ config }: MemoryApiServer, directory: string): Promise<ChildProcess> {
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, config.exportConfig());
  const child = spawn('dist/flux-pod', ['controller', '--http', '127.0.0.1:8953', '--log-format', 'text'], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { promise: watching, resolve, reject } = Promise.withResolvers<void>();
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('All resources are watched')) resolve();
    });
  child.once('exit', (code) => reject(new Error(`the controller has ended with ${code}: ${output}`)));
  await watching;
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Milliseconds until all of them run. */
async function createAll({ store }: MemoryApiServer, names: readonly string[]): Promise<number> {
  const collection = pathOf(resources.miniClusters, {});
  const missing = new Set(names);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const end = store.watch(store.version(), ({ collection: where, object }) => {
    if (where !== collection || (object.status as MiniClusterStatus | undefined)?.state !== 'Running') return;
    missing.delete(object.metadata.name);
    if (missing.size === 0) resolve();
  });
  const startedAt = performance.now();
  for (const name of names) store.create(collection, miniCluster({ minSize: 1, maxSize: 4 }, { name }));
  await done;
  end();
  return performance.now() - startedAt;
}

/** Changes the size of a MiniCluster. Milliseconds until its status says that it is so. */
async function changeOne({ store }: MemoryApiServer, name: string): Promise<number> {
  const collection = pathOf(resources.miniClusters, {});
  const { size } = store.get(collection, 'hpc', name).spec as { size: number };
  const wanted = size === 2 ? 3 : 2;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const end = store.watch(store.version(), ({ collection: where, object }) => {
    const status = object.status as MiniClusterStatus | undefined;
    if (where === collection && object.metadata.name === name && status?.size === wanted) resolve();
  });
  const startedAt = performance.now();
  store.patch(collection, 'hpc', name, { spec: { size: wanted } } as Stored, undefined);
  await done;
  end();
  return performance.now() - startedAt;
}

/** What the Job controller and the kubelet do, in no time: they are not what is measured. */
function readyPods({ store }: MemoryApiServer): void {
  const [jobs, pods] = [resources.jobs, resources.pods].map((resource) => pathOf(resource, {})) as [
    string,
    string,
  ];
  store.watch(store.version(), ({ collection, object, type }) => {
    if (collection !== jobs || type !== 'ADDED') return;
    const { template } = object.spec as { template: { metadata: { labels: object }; spec: object } };
    const { name, namespace = '', uid = '' } = object.metadata;
    for (const index of ['0', '1'])
      setImmediate(() =>
        store.create(pods, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            name: `${name}-${index}-abcde`,
            namespace,
            labels: { ...template.metadata.labels, 'batch.kubernetes.io/job-completion-index': index },
            ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }],
          },
          spec: template.spec,
          status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
        }),
      );
  });
}

/** Until no request has come for a second. */
async function quiet({ requests }: MemoryApiServer): Promise<void> {
  for (let before = -1; before !== requests.length; ) {
    before = requests.length;
    await delay(1000);
  }
}
