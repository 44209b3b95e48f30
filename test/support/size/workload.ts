/** Random workloads of an elastic MiniCluster: jobs, and what goes wrong beside them. The same for the same seed. Milliseconds. */

export interface WorkloadJob {
  readonly id: number;
  readonly submitMs: number;
  /** Whole nodes; 0 for a job that shares a node. */
  readonly nodes: number;
  /** Of a job that shares a node. */
  readonly cores: number;
  readonly runMs: number;
}

export interface Workload {
  readonly min: number;
  readonly max: number;
  readonly coresPerNode: number;
  /** By their submission. */
  readonly jobs: readonly WorkloadJob[];
  /** From the creation of a pod to its broker. */
  readonly podMs: () => number;
  /** From the deletion of a pod to its SIGTERM: until then its broker takes jobs. */
  readonly signalMs: () => number;
  /** From SIGTERM to the end of a pod. */
  readonly stopMs: () => number;
  /** A pod of this rank, where there is one, is lost with the job on it. */
  readonly crashes: readonly { readonly ms: number; readonly rank: number }[];
  readonly controllerRestarts: readonly number[];
  readonly linkLosses: readonly { readonly ms: number; readonly forMs: number }[];
}

export type Random = () => number;

/** mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const second = 1000;
const minute = 60 * second;

export function randomWorkload(seed: number): Workload {
  const random = randomOf(seed);
  const between = (least: number, most: number) => Math.floor(least + random() * (most - least + 1));
  const min = between(1, 4);
  const max = min + between(2, 48);
  /** Of the jobs. */
  const shared = random();
  const isBursty = random() < 0.3;
  // A node of a cloud comes in minutes, of a cluster that has room in seconds: of one workload alike.
  const usualPodMs = (5 + 295 * random() ** 2) * second;

  /** A long tail: most are short, and some run for an hour. */
  const runMs = () => Math.min(60 * minute, Math.max(second, (20 * second) / (1 - random()) ** 0.9));
  const nodes = () => (random() < 0.1 ? between(1, max) : between(1, Math.max(1, Math.floor(max / 4))));
  const job = () =>
    random() < shared
      ? { nodes: 0, cores: between(1, 4), runMs: runMs() }
      : { nodes: nodes(), cores: 0, runMs: runMs() };
  const submissions: number[] = [];
  for (let ms = between(0, 5 * minute); submissions.length < 60; ms += between(0, 20 * minute)) {
    const burst = isBursty || random() < 0.3 ? between(2, 40) : 1;
    for (let each = 0; each < burst; each++) submissions.push(ms + between(0, 2 * second));
  }
  const jobs = submissions
    .toSorted((a, b) => a - b)
    // Some fail at once.
    .map((submitMs, id) => ({ id, submitMs, ...job(), ...(random() < 0.05 && { runMs: second }) }));
  const end = (submissions.at(-1) ?? 0) + 60 * minute;
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: between(0, most) }, make);
  return {
    min,
    max,
    coresPerNode: 4,
    jobs,
    podMs: () => Math.min(300 * second, Math.max(5 * second, usualPodMs * (0.5 + random()))),
    signalMs: () => between(100, 3000),
    stopMs: () => (random() < 0.9 ? between(500, 3000) : between(3000, 30_000)),
    crashes: some(2, () => ({ ms: between(0, end), rank: between(1, max - 1) })),
    controllerRestarts: some(3, () => between(0, end)),
    linkLosses: some(2, () => ({ ms: between(0, end), forMs: between(second, 5 * minute) })),
  };
}
