/**
 * The certificate of a MiniCluster, derived from a seed that the controller keeps and from the MiniCluster's uid: a Secret that was
 * deleted comes back with the same keys, so that pods that run and pods that start later still form one instance.
 */
import { hkdfSync } from 'node:crypto';
import { formatCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { certificateOf } from '../../agent/broker/certificate/key-pair.ts';

/** Bytes of the seed. */
export const seedLength = 32;

/** The certificate as text. `seed` is secret; `created` is for people only. */
export function derivedCertificate(
  seed: Uint8Array,
  { uid, name, created }: { readonly uid: string; readonly name: string; readonly created: string },
): string {
  if (seed.length !== seedLength) throw new RangeError(`a seed has ${seedLength} bytes, not ${seed.length}`);
  const secretKey = new Uint8Array(hkdfSync('sha256', seed, '', `flux-pod CURVE certificate of ${uid}`, 32));
  return formatCertificate(certificateOf(secretKey, { name, time: created.slice(0, 19) }));
}
