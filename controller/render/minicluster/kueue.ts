/** What Kueue makes of the Job: its labels and annotations are the MiniCluster's. Names: kueue pkg/controller/constants, pkg/workloadslicing. */
import type { MiniCluster } from './schema.ts';

const queueLabel = 'kueue.x-k8s.io/queue-name';
const elasticAnnotation = 'kueue.x-k8s.io/elastic-job';

/** The label that names a queue, and where it stands; undefined where the Job is in none. */
export function queueOf({ metadata, spec }: MiniCluster): string | undefined {
  if (spec.jobLabels?.[queueLabel]) return `spec.jobLabels["${queueLabel}"]`;
  return metadata.labels?.[queueLabel] ? `metadata.labels["${queueLabel}"]` : undefined;
}

/** Kueue stops a Job whose pods it has not admitted in that number, unless it is elastic (KEP-77, a feature gate of Kueue). */
const isElastic = ({ metadata }: MiniCluster): boolean =>
  metadata.annotations?.[elasticAnnotation] === 'true';

export const whyNoAutoscaling = (miniCluster: MiniCluster): string | undefined => {
  const label = queueOf(miniCluster);
  if (label === undefined || isElastic(miniCluster)) return undefined;
  return `cannot be used in a queue of Kueue (${label}): Kueue stops all pods of a Job that is resized. Leave one of the two out, or set the annotation ${elasticAnnotation}: "true" where Kueue has ElasticJobsViaWorkloadSlices, which flux-pod was not tried with`;
};
