import type { PersistentVolumeClaim } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from './minicluster/cluster.ts';
import { metadataOf } from './pod/labels.ts';

/**
 * The claim of a volume for Flux's statedir, which only rank 0 uses. A Job has one pod template: the pods of all ranks mount it, so that
 * a volume of one node (ReadWriteOnce) keeps them on that node. One leader at a time writes: the Job replaces a pod when it has ended
 * (podReplacementPolicy).
 */
export function stateClaim(cluster: Cluster): PersistentVolumeClaim[] {
  const { spec, names, maxSize, warn } = cluster;
  const { stateVolume } = spec.flux ?? {};
  if (!stateVolume) return [];
  const {
    size,
    storageClassName,
    accessMode = maxSize === 1 ? 'ReadWriteOnce' : 'ReadWriteMany',
  } = stateVolume;
  if (accessMode === 'ReadWriteOnce' && maxSize > 1)
    warn(
      'spec.flux.stateVolume.accessMode',
      'is ReadWriteOnce: all pods mount the volume, and start only on one node',
    );
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: metadataOf(cluster, names.stateClaim),
      spec: {
        accessModes: [accessMode],
        ...(storageClassName !== undefined && { storageClassName }),
        resources: { requests: { storage: size } },
      },
    },
  ];
}
