/** Policies of the size, each with the delays that it has on a cluster. */
import { nextSize, type SizeState } from '../../../controller/size/next-size.ts';
import type { MakePolicy, World } from './simulate.ts';

/** Always the same size. */
export const fixed: MakePolicy = () => ({ changed: () => undefined });

const times = {
  /** A leader's reports follow each other after this. */
  reportMs: 1000,
  /** Of a report, a request to the leader, a watch, or a request to the API server. */
  latencyMs: 50,
  windowMs: 60_000,
};

interface Report {
  readonly demand: { readonly wanted: number; readonly busy: number };
  readonly freed: number | undefined;
}

/** The controller's: reports over a link that may be lost, requests to the leader, and a state that a restart loses. */
export const followDemand: MakePolicy = (world) => {
  const { agenda, flux, workload } = world;
  const limits = { min: workload.min, max: workload.max };
  let keep = limits.max;
  let last: Report | undefined;
  let reportAt = Number.NEGATIVE_INFINITY;
  let isReporting = false;
  let isLost = false;
  let controller = startController(world, limits, request);

  function request(size: number): void {
    if (isLost) return;
    if (size < keep) world.shrinks();
    agenda.after(times.latencyMs, () => {
      keep = size;
      for (const [rank, each] of flux.ranks.entries()) each.isDrained = rank >= size;
      changed();
    });
  }
  const observe = (): Report => {
    const isFree = keep < limits.max && flux.ranks.every(({ jobs }, rank) => rank < keep || jobs.size === 0);
    return { demand: flux.demand(), freed: isFree ? keep : undefined };
  };
  function changed(): void {
    const pods = flux.ranks.map((_, rank) => world.hasPod(rank));
    agenda.after(times.latencyMs, () => controller.pods(pods));
    if (isReporting) return;
    isReporting = true;
    agenda.after(Math.max(0, reportAt + times.reportMs - agenda.now()), () => {
      isReporting = false;
      const report = observe();
      if (isLost || JSON.stringify(report) === JSON.stringify(last)) return;
      [last, reportAt] = [report, agenda.now()];
      agenda.after(times.latencyMs, () => controller.report(isLost ? undefined : report));
    });
  }
  const restart = () => {
    controller.stop();
    controller = startController(world, limits, request);
    controller.pods(flux.ranks.map((_, rank) => world.hasPod(rank)));
    last = undefined;
    changed();
  };
  for (const ms of workload.controllerRestarts) agenda.after(ms, restart);
  for (const { ms, forMs } of workload.linkLosses) {
    agenda.after(ms, () => {
      isLost = true;
      controller.report(undefined);
    });
    agenda.after(ms + forMs, () => {
      isLost = false;
      last = undefined;
      changed();
    });
  }
  return { changed };
};

function startController(
  { agenda, size, setSize }: World,
  limits: { readonly min: number; readonly max: number },
  request: (size: number) => void,
) {
  let state: SizeState | undefined;
  let asked: number | undefined;
  let report: Report | undefined;
  let pods: readonly boolean[] = [];
  let isStopped = false;
  let wakes = 0;

  function decide(): void {
    if (isStopped) return;
    const next = nextSize(
      state,
      {
        ...{ size: size(), demand: report?.demand, freed: report?.freed, limits, windowMs: times.windowMs },
        ...{ leaving: pods.some((is, rank) => is && rank >= size()), owner: 'Demand' },
      },
      agenda.now(),
    );
    state = next.state;
    if (!report) asked = undefined;
    if (next.keep !== undefined && next.keep !== asked) {
      asked = next.keep;
      request(next.keep);
    }
    if (next.size !== size()) setSize(next.size);
    const wake = ++wakes;
    if (next.again !== undefined) agenda.after(next.again, () => wake === wakes && decide());
  }
  return {
    report: (next: Report | undefined) => {
      report = next;
      decide();
    },
    pods: (next: readonly boolean[]) => {
      pods = next;
      decide();
    },
    stop: () => {
      isStopped = true;
    },
  };
}

/** What a HorizontalPodAutoscaler (autoscaling/v2) is given for each node to have one of. */
export type Metric = (world: World) => number;
export const metrics = {
  pendingJobs: ({ flux }) => flux.queue.length,
  activeJobs: ({ flux }) => flux.queue.length + flux.running.size,
  nodesWanted: ({ flux }) => flux.demand().wanted,
} as const satisfies Record<string, Metric>;

/** Kubernetes' own defaults (kubernetes pkg/controller/podautoscaler). */
const hpa = {
  syncMs: 15_000,
  /** The age of a metric: it is scraped as often. */
  metricMs: 15_000,
  tolerance: 0.1,
  stabilizationMs: 300_000,
};

/** Shrinks as a HorizontalPodAutoscaler does: the Job gets a smaller size, whatever runs. */
export const horizontal =
  (metric: Metric): MakePolicy =>
  (world) => {
    const { agenda, workload } = world;
    const recommended: { readonly size: number; readonly at: number }[] = [];
    const sync = () => {
      const value = metric(world);
      agenda.after(hpa.metricMs, () => scale(value));
      agenda.after(hpa.syncMs, sync);
    };
    function scale(value: number): void {
      const size = world.size();
      const isNear = Math.abs(value / size - 1) <= hpa.tolerance;
      const most = Math.max(2 * size, size + 4);
      const wanted = Math.min(
        workload.max,
        Math.max(workload.min, isNear ? size : Math.min(Math.ceil(value), most)),
      );
      recommended.push({ size: wanted, at: agenda.now() });
      while ((recommended[0]?.at ?? 0) < agenda.now() - hpa.stabilizationMs) recommended.shift();
      const stable = Math.max(...recommended.map((each) => each.size));
      world.setSize(wanted > size ? wanted : Math.min(size, stable));
    }
    agenda.after(0, sync);
    return { changed: () => undefined };
  };
