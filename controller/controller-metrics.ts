/** Metrics in the names that users of controller-runtime know (sigs.k8s.io/controller-runtime pkg/internal/controller/metrics). */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface ControllerMetrics {
  readonly reconciled: (seconds: number, error: unknown) => void;
  /** The exposition, as text. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
}

export interface MetricSources {
  /** Keys that wait for a worker. */
  readonly depth: () => number;
  /** MiniClusters by the conditions that hold. */
  readonly conditions: () => ReadonlyMap<string, number>;
}

export function createMetrics({ depth, conditions }: MetricSources): ControllerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const controller = 'minicluster';
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations by result.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciliations that failed and are retried.',
    labelNames: ['controller'],
    registers,
  });
  const time = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Seconds of a reconciliation.',
    labelNames: ['controller'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  new Gauge({
    name: 'workqueue_depth',
    help: 'MiniClusters that wait for a worker.',
    labelNames: ['name'],
    registers,
    collect() {
      this.set({ name: controller }, depth());
    },
  });
  new Gauge({
    name: 'flux_pod_miniclusters',
    help: 'MiniClusters by the conditions that hold.',
    labelNames: ['condition'],
    registers,
    collect() {
      this.reset();
      for (const [condition, count] of conditions()) this.set({ condition }, count);
    },
  });
  return {
    reconciled: (seconds, error) => {
      total.inc({ controller, result: error === undefined ? 'success' : 'error' });
      if (error !== undefined) errors.inc({ controller });
      time.observe({ controller }, seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
