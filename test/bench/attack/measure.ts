/** What an attack costs: the kernel's figures of agent and broker, and probes from a thread that the attack does not slow down. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { agentProc } from '../../support/bed/agent-process.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { medianOf } from '../table.ts';
import type { ProbeTask, Waited } from './prober.ts';
import type { Attack, Target } from './target.ts';

export async function measure(target: Target, { prepare, run }: Attack) {
  await prepare?.(target);
  const agent = agentProc(target.pod);
  const broker = brokerProc(target.pod);
  const before = { agent: held(agent, 'VmRSS'), broker: held(broker, 'VmRSS'), cpu: cpuMs(broker) };
  forgetPeak(agent);
  forgetPeak(broker);
  const stopProbes = startProbes({ host: target.pod.address, from: target.probing });
  await delay(1000);
  const seen = await run(target);
  await delay(1000);
  const waited = await stopProbes();
  const cpu = cpuMs(broker) - before.cpu;
  const peaks = [agent, broker].map((proc) => held(proc, 'VmHWM'));
  await delay(2000);
  const times = waited.flatMap(({ ms }) => ms ?? []);
  const cells = [
    before.agent,
    peaks[0],
    held(agent, 'VmRSS'),
    before.broker,
    peaks[1],
    cpu,
    medianOf(times),
    Math.max(...times),
    waited.length - times.length,
  ];
  return { seen, cells: cells.map((cell = Number.NaN) => cell.toFixed(0)) };
}

/** `/proc/PID` of the broker: its first process, which is the agent's child or below it. */
export function brokerProc(pod: Pod): string {
  const broker = pod.processes().find(({ command }) => /flux-broker|stand-in/.test(command));
  if (broker) return `${pod.proc()}/${broker.pid}`;
  // The stand-in is a Node.js: the second one after the agent.
  const [, second] = pod
    .processes()
    .filter(({ command, pid }) => pid > 1 && /^(MainThread|node)/.test(command));
  if (!second) throw new Error(`${pod.name} has no broker`);
  return `${pod.proc()}/${second.pid}`;
}

/** MiB. */
const held = (proc: string, what: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]) / 1024;

/** VmHWM begins anew (proc(5), /proc/pid/clear_refs: 5). */
const forgetPeak = (proc: string): void => writeFileSync(`${proc}/clear_refs`, '5');

/** All threads (Documentation/scheduler/sched-stats.rst: nanoseconds first). */
const cpuMs = (proc: string): number =>
  readdirSync(`${proc}/task`)
    .map((task) => Number(readFileSync(`${proc}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, each) => sum + each, 0) / 1e6;

/** Asks until it is stopped; resolves to how long each answer took. */
function startProbes(task: ProbeTask): () => Promise<Waited[]> {
  const worker = new Worker(new URL('./prober.ts', import.meta.url), { workerData: task });
  const { promise, resolve, reject } = Promise.withResolvers<Waited[]>();
  worker.once('message', resolve).once('error', reject);
  return () => {
    worker.postMessage('stop');
    return promise;
  };
}
