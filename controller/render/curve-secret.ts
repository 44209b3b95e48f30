import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from './minicluster/cluster.ts';
import { metadataOf } from './pod/labels.ts';

/**
 * The certificate that all brokers share. Immutable: applied a second time with a new certificate it is refused, where it would
 * else change under running pods, and a follower that restarts could not join any more.
 */
export function curveSecret(cluster: Cluster): Secret {
  const { spec, options, names, warn } = cluster;
  const given = spec.flux?.curveCert;
  if (given && options.certificate !== undefined)
    warn('spec.flux.curveCert', 'is not used: another certificate was asked for');
  const certificate = options.certificate ?? given ?? options.freshCertificate;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadataOf(cluster, names.curveSecret),
    type: 'Opaque',
    immutable: true,
    data: { 'curve.cert': Buffer.from(certificate).toString('base64') },
  };
}
