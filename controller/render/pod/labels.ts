import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import { appLabel, clusterLabel } from '../reserved/names.ts';

const managedBy = { 'app.kubernetes.io/managed-by': 'flux-pod' };

/** The metadata of an object of the cluster: the MiniCluster's own labels are on all of them. */
export function metadataOf(
  { miniCluster, name }: Cluster,
  objectName: string,
  more: { labels?: Readonly<Record<string, string>>; annotations?: Readonly<Record<string, string>> } = {},
): ObjectMeta {
  const { namespace, labels } = miniCluster.metadata;
  const { annotations = {} } = more;
  return {
    name: objectName,
    ...(namespace !== undefined && { namespace }),
    labels: { ...labels, ...more.labels, ...managedBy, [clusterLabel]: name },
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** The labels of a pod; `component` distinguishes the brokers from the services beside them. Ours win, as selectors rely on them. */
export function podLabels(
  { spec, name, warn }: Cluster,
  component: 'broker' | 'services',
): Record<string, string> {
  const own = spec.pod?.labels ?? {};
  for (const label of [clusterLabel, componentLabel]) {
    if (label in own && component === 'broker')
      warn(`spec.pod.labels["${label}"]`, 'is flux-pod’s own and replaced');
  }
  return { [appLabel]: name, ...managedBy, ...own, [componentLabel]: component, [clusterLabel]: name };
}

export const componentLabel = 'flux-pod/component';
