/** The size follows the queue: `spec.autoscaling` on a real Kubernetes. */
import { setTimeout as delay } from 'node:timers/promises';
import { inLeader } from '../in-leader.ts';
import { kubectl } from '../kubectl.ts';
import { type Place, until } from '../minicluster.ts';
import { type Find, type Scenario, seconds } from '../scenario.ts';
import { crashController } from './controller.ts';
import { applyReconciled, isTrue, type ReconciledMiniCluster } from './resource.ts';

const windowSeconds = 10;

interface Autoscaled extends ReconciledMiniCluster {
  /** Resolves to the id of the job. */
  readonly submit: (...words: readonly string[]) => Promise<string>;
  readonly flux: (...words: readonly string[]) => Promise<string>;
  readonly sizeIs: (size: number, limit?: number) => Promise<void>;
  /** Waits until ranks are drained, which is how a shrink begins. */
  readonly drained: () => Promise<void>;
}

async function autoscaled(place: Place, name: string, maxSize: number): Promise<Autoscaled> {
  const cluster = await applyReconciled(place, {
    name,
    size: 1,
    program: 'echo started; sleep 10000',
    spec: { minSize: 1, maxSize, autoscaling: { stabilizationWindowSeconds: windowSeconds } },
  });
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  const flux = (...words: readonly string[]) => inLeader(place, cluster, 'flux', ...words);
  return {
    ...cluster,
    flux,
    submit: (...words) => flux('submit', ...words),
    drained: async () => {
      const ranks = () => flux('resource', 'drain', '-no', '{ranks}');
      const seen = await until(60, async () => ((await ranks()) === '' ? undefined : true));
      if (!seen) throw new Error(`no rank of ${name} was drained within 60 s`);
    },
    sizeIs: (size, limit = 180) =>
      cluster.becomes(`of ${size}`, (seen) => seen.size === size && seen.brokersOnline === size, limit),
  };
}

/** Every job has run to its end: none was killed with its node. */
async function findAllCompleted(cluster: Autoscaled, find: Find): Promise<void> {
  const results = (await cluster.flux('jobs', '-a', '-no', '{result}')).split('\n').filter(Boolean);
  const others = results.filter((result) => result !== 'COMPLETED');
  find(
    'no job is killed',
    results.length > 0 && others.length === 0,
    `${results.length} jobs; ${others.join(' ') || 'all completed'}`,
  );
}

interface LogEntry {
  readonly timestamp: number;
  readonly name: string;
}
const entries = (text: string): LogEntry[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogEntry);

/** Seconds from the moment at which the last broker came online to the job's start, by the broker's clock. */
async function startAfterOnline(cluster: Autoscaled, id: string): Promise<number> {
  const start = entries(await cluster.flux('job', 'eventlog', '-f', 'json', id)).find(
    ({ name }) => name === 'start',
  );
  // A broker joins the group broker.online when it enters the state quorum (flux-core src/broker/state_machine.c).
  const times = (await cluster.flux('exec', '-r', 'all', 'flux', 'dmesg'))
    .split('\n')
    .filter((line) => line.includes('init->quorum'))
    .map((line) => Date.parse(line.split(' ')[0] ?? '') / 1000);
  const before = times.filter((time) => time <= (start?.timestamp ?? 0));
  return (start?.timestamp ?? Number.NaN) - Math.max(...before);
}

const grows: Scenario = async (place, find) => {
  const cluster = await autoscaled(place, 'grows', 8);
  const from = performance.now();
  const wide = await cluster.submit('-N8', '--job-name=wide', 'sleep', '5');
  await cluster.flux('job', 'wait-event', wide, 'start');
  find('a job of 8 nodes runs in a MiniCluster of 1', true, `${seconds(from)} after its submission`);
  const gap = await startAfterOnline(cluster, wide);
  find('within 2 s of the last broker', gap < 2, `${gap.toFixed(2)} s`);
  await cluster.flux('job', 'wait-event', wide, 'clean');
  const back = performance.now();
  await cluster.sizeIs(1);
  find('then it has 1 again', true, `${seconds(back)}, of which the window is ${windowSeconds} s`);
  const failed = (await cluster.job()).status.failed ?? 0;
  find('no pod that leaves counts as failed', failed === 0, `failed ${failed}`);
  const burst = performance.now();
  await cluster.submit('--cc=1-200', '--quiet', '-n1', 'sleep', '2');
  let most = 1;
  await cluster.becomes(
    'done with 200 jobs',
    ({ size, jobs }) => {
      most = Math.max(most, size);
      return jobs !== undefined && jobs.pending + jobs.running === 0 && jobs.inactive >= 201;
    },
    300,
  );
  find('200 jobs of one core', most > 1, `${seconds(burst)}, at most ${most} brokers`);
  await cluster.sizeIs(1);
  await findAllCompleted(cluster, find);
  const events = await kubectl([
    'get',
    'events',
    '-n',
    place.namespace,
    '--field-selector=involvedObject.name=grows',
    '-o',
    'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}',
  ]);
  const scaled = events.split('\n').filter((line) => line.startsWith('Scaled'));
  find('each change of size is an Event with its reason', scaled.length >= 3, scaled.join(' | '));
  await cluster.delete();
};

const pinned: Scenario = async (place, find) => {
  const cluster = await autoscaled(place, 'pinned', 4);
  const wide = await cluster.submit('-N4', 'sleep', '3');
  await cluster.flux('job', 'wait-event', wide, 'start');
  await cluster.flux('job', 'wait-event', wide, 'clean');
  const long = await cluster.submit('--requires=rank:3', '-n1', 'sleep', '1000');
  await cluster.flux('job', 'wait-event', long, 'start');
  await delay((windowSeconds + 5) * 1000);
  const { status } = await cluster.resource();
  find('a job on rank 3 keeps its node', status?.size === 4, `size ${status?.size}`);
  const short = await cluster.submit('-n1', 'true');
  await cluster.flux('job', 'wait-event', short, 'clean');
  const rank = await cluster.flux('jobs', '-no', '{ranks}', short);
  find('a new job takes a low rank', Number(rank) < 3, `rank ${rank}`);
  await cluster.flux('cancel', long);
  const from = performance.now();
  await cluster.sizeIs(1);
  find('when it has ended, the size is 1', true, seconds(from));
  await cluster.delete();
};

const changesItsMind: Scenario = async (place, find) => {
  const cluster = await autoscaled(place, 'minds', 4);
  const sizes: number[] = [];
  for (const _ of [1, 2]) {
    const wide = await cluster.submit('-N4', 'sleep', '1');
    await cluster.flux('job', 'wait-event', wide, 'clean');
    const end = performance.now() + (windowSeconds - 4) * 1000;
    while (performance.now() < end) {
      sizes.push((await cluster.resource()).status?.size ?? 0);
      await delay(500);
    }
  }
  find(
    'two bursts within the window: nothing shrinks between them',
    sizes.every((size) => size === 4),
    [...new Set(sizes)].join(' '),
  );
  await cluster.sizeIs(1);
  await findAllCompleted(cluster, find);
  await cluster.delete();
};

const shrinkInterrupted: Scenario = async (place, find) => {
  const cluster = await autoscaled(place, 'interrupted', 4);
  const wide = await cluster.submit('-N4', 'sleep', '1');
  await cluster.flux('job', 'wait-event', wide, 'clean');
  // The window runs.
  await delay(2000);
  await crashController();
  await cluster.drained();
  await crashController();
  // At once when the next one leads.
  await crashController();
  await cluster.sizeIs(1, 240);
  find('the controller crashes three times while it shrinks: the size is 1', true, '');
  await findAllCompleted(cluster, find);
  const again = await cluster.submit('-N4', 'sleep', '1');
  await cluster.flux('job', 'wait-event', again, 'clean');
  await cluster.drained();
  const leader = await cluster.podOf(0);
  await kubectl(['delete', 'pod', leader?.metadata.name ?? '', '-n', place.namespace]);
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready') && seen.brokersOnline === seen.size, 180);
  await cluster.sizeIs(1, 240);
  find('the leader is replaced while it shrinks: the size is 1', true, '');
  const last = await cluster.submit('-N4', 'true');
  await cluster.flux('job', 'wait-event', last, 'clean');
  find('and it grows again', true, '');
  await cluster.delete();
};

const idle: Scenario = async (place, find) => {
  const cluster = await applyReconciled(place, {
    name: 'idle',
    size: 2,
    program: 'flux run -N2 hostname; sleep 10000',
    spec: { idleTimeout: 10 },
  });
  await cluster.becomes('succeeded', (seen) => isTrue(seen, 'Succeeded') && seen.exitCode === 0, 120);
  find('without a job for 10 s it shuts down with exit code 0', true, seconds(cluster.appliedAt));
  await cluster.delete();
};

export const autoscalingScenarios: Readonly<Record<string, Scenario>> = {
  'autoscaling-grows': grows,
  'autoscaling-pinned': pinned,
  'autoscaling-changes-its-mind': changesItsMind,
  'autoscaling-interrupted': shrinkInterrupted,
  'autoscaling-idle': idle,
};
