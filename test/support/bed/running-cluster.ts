import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes, logsOf, type MiniClusterSpec, miniCluster, withoutCleanup } from '../project/flux-pod.ts';
import { fluxPod, probe, statusOf, until } from './ask-pod.ts';
import type { Bed } from './bed.ts';
import type { Pod } from './pod.ts';

/** A MiniCluster and what a test does to it. Its pods are killed at the end of the scope. */
export interface RunningCluster extends AsyncDisposable {
  /** By index; a pod that is replaced gives its place to the new one. */
  readonly pods: Pod[];
  readonly leader: Pod;
  pod(index: number): Pod;
  /** Starts a pod with this index, in the place of one that was there, if any. */
  replace(index: number): Pod;
  /** Resolves when the program has written the line `up`. */
  up(): Promise<void>;
  /** Resolves when all pods, or these, are ready. */
  ready(...indexes: number[]): Promise<void>;
  /** Resolves when so many brokers are online. */
  online(count: number): Promise<void>;
  /** How often the pod's agent has started its broker again. */
  restarts(index: number): Promise<number | undefined>;
  /** Resolves when the agents of these pods have started their brokers again, and these run. */
  restarted(...indexes: number[]): Promise<void>;
  /** Resolves when the agents of these pods have the link to their parents, which a pod that is ready may not have yet. */
  linked(...indexes: number[]): Promise<void>;
  /** SIGTERM to all pods at once. Resolves to their exit codes. */
  stop(): Promise<number[]>;
  /** What all pods have written. */
  logs(): string;
}

/** Without a command the program is one that says `up` and stays. */
export interface ClusterSpec extends Omit<MiniClusterSpec, 'command'> {
  readonly command?: readonly string[];
  readonly cluster: string;
  /** Whether Flux cancels jobs when the program has ended, as it does by itself. */
  readonly cleanup?: boolean;
}

const up = ['sh', '-c', 'echo up; exec sleep 1000'];

/** Starts all pods, and awaits nothing. */
export function beginCluster(bed: Bed, spec: ClusterSpec): RunningCluster {
  const env = { ...(spec.cleanup ? {} : withoutCleanup), ...spec.env };
  const startPod = miniCluster(bed, { command: up, ...spec, env });
  const pods = Array.from({ length: spec.size }, (_, index) => startPod(index));
  const pod = (index: number): Pod => {
    const found = pods[index];
    if (!found) throw new RangeError(`There is no pod ${index} of ${pods.length}`);
    return found;
  };
  const logs = () => logsOf(pods);
  return {
    pods,
    pod,
    get leader() {
      return pod(0);
    },
    replace: (index) => {
      const next = startPod(index);
      pods[index] = next;
      return next;
    },
    up: async () => {
      await pod(0)
        .waitForOutput(/^up$/m)
        .catch((error) => {
          throw new Error(`${error.message}\n${logs()}`);
        });
    },
    ready: async (...indexes) => {
      await Promise.all((indexes.length > 0 ? indexes.map(pod) : pods).map((each) => isReady(each)));
    },
    online: async (count) => {
      await until(
        () => brokerOf(pod(0)),
        (broker) => broker?.online === count,
      );
    },
    restarts: async (index) => (await statusOf(pod(index))).broker?.restarts,
    restarted: async (...indexes) => {
      const again = (index: number) =>
        until(
          () => brokerOf(pod(index)),
          (broker) => broker !== undefined && broker.restarts > 0 && broker.state === 'run',
        );
      await Promise.all(indexes.map(again));
    },
    linked: async (...indexes) => {
      await Promise.all(indexes.map((index) => hasParentLinks(pod(index), 1)));
    },
    stop: async () => {
      await Promise.all(pods.map((each) => each.signal('SIGTERM')));
      return exitCodes(pods);
    },
    logs,
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(pods.map((each) => each.kill()));
    },
  };
}

/** Starts all pods and waits until the program runs. */
export async function startCluster(bed: Bed, spec: ClusterSpec): Promise<RunningCluster> {
  const cluster = beginCluster(bed, spec);
  try {
    await cluster.up();
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Resolves when a pod is ready, as its probe says from outside. On a busy machine a broker that runs well may once not answer within 200 ms,
 * after which the probe does not wait: so whether it is ready is always awaited.
 */
export const isReady = (pod: Pod) =>
  until(
    () => probe(pod, 'readyz').catch((error) => ({ ok: false, why: String(error) })),
    ({ ok }) => ok,
  );

/** Resolves when a pod whose network may be down is not ready, as its probe says from inside, with `why` among its words. */
export const isUnready = (pod: Pod, why = '') =>
  until(
    () => fluxPod(pod, 'probe', 'ready'),
    ({ code, stdout }) => code !== 0 && stdout.includes(why),
    // Each question is a process.
    { everyMs: 250 },
  );

/** As its agent says; undefined where that does not answer. */
export const brokerOf = (pod: Pod) =>
  statusOf(pod).then(
    ({ broker }) => broker,
    () => undefined,
  );

/** Resolves when the agent of a pod has so many parent links, as the kernel sees them. */
export const hasParentLinks = (pod: Pod, count: number) =>
  until(
    async () => parentLinksOf(pod),
    (links) => links === count,
  );

/** The established connections to port 8051 of others (proc_net_tcp(5): state 01, addresses in hexadecimal). */
function parentLinksOf(pod: Pod): number {
  const lines = readFileSync(join(pod.proc(), '1/net/tcp'), 'utf8').split('\n');
  return lines.filter((line) => /^ *\d+: \w+:\w+ \w+:1F73 01 /.test(line)).length;
}
