/**
 * Many agents on one machine, each with the stand-in for its broker and its records 1 s late: questions in all and by pod, the time until all
 * have joined, and what an agent holds in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoCluster, startDemoCluster } from '../../entrypoint/demo/demo-cluster.ts';
import { heldKb } from '../support/bed/agent-process.ts';
import { installOnHost } from '../support/project/flux-pod.ts';
import { row } from './table.ts';

/** BENCH_SIZES: 400 agents with as many stand-ins need more than two slow cores. */
const sizes = (process.env.BENCH_SIZES ?? '4,40,400').split(',').map(Number);

export async function scale(): Promise<void> {
  console.log('agents with the stand-in broker on one machine, records 1 s late');
  console.log(row('', ['questions', 'a pod', 'most a pod', 'ready, s', 'MiB a pod']));
  for (const size of sizes) {
    const { questions, most, seconds, mebibytes } = await measure(size);
    console.log(
      row(`${size} pods`, [
        String(questions),
        (questions / size).toFixed(1),
        String(most),
        seconds.toFixed(1),
        mebibytes.toFixed(1),
      ]),
    );
  }
}

async function measure(size: number) {
  const image = installOnHost();
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-scale-'));
  const { promise: up, resolve } = Promise.withResolvers<void>();
  const asked = new Map<string, number>();
  const startedAt = performance.now();
  const cluster = await startDemoCluster({
    size,
    flux: join(image, 'bin/flux'),
    program: join(image, 'cached.cjs'),
    command: ['sh', '-c', 'echo up; exec sleep 100000'],
    directory,
    publishAfterMs: 1000,
    onLine: ({ name }, stream, line) => {
      if (stream === 'stdout' && line === 'up') resolve();
      // Each follower says in its log what it took to find its parent.
      const questions = /"questions":(\d+),"connections":\d+,"waitedMs"/.exec(line)?.[1];
      if (questions !== undefined) asked.set(name, Number(questions));
    },
  });
  try {
    await up;
    const seconds = (performance.now() - startedAt) / 1000;
    const { length: questions } = cluster.nameserver.queries;
    return { seconds, questions, most: Math.max(...asked.values()), mebibytes: memory(cluster) };
  } finally {
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const memory = ({ pods }: DemoCluster): number =>
  pods.map(({ pid }) => heldKb(`/proc/${pid}`, 'RssAnon') / 1024).reduce((sum, each) => sum + each, 0) /
  pods.length;
