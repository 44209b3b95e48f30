/**
 * The keys of links. A key is made from the certificate and a name that both ends of a link have; the link's own key from that, the two
 * ends and a nonce of the one that opens it: a signature is valid for this link of this instance, in one direction.
 *
 *     instance key   = HMAC-SHA256(secret key of the certificate, ["flux-pod parent link", ...instance])
 *     controller key = HMAC-SHA256(secret key of the certificate, ["flux-pod controller link", namespace, cluster])
 *     link key       = HMAC-SHA256(instance or controller key, [rank, peer, nonce])
 *
 * The instance's name has the host list, which a controller does not have: it depends on the hostnames of the pods, and with FLUX_POD_HOSTS on
 * other Kubernetes clusters. A MiniCluster's namespace and name are known to the controller and detected by its pods. The first word of each
 * list separates the two roles: what a follower has signed is valid on no link of a controller, and the reverse.
 *
 * What is signed is written as a JSON array, which can be read in one way only. A MAC does not give its key away (RFC 2104).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

type Field = string | number | null;

/** Both ends of a link, and what makes its key unique. */
export interface LinkName {
  /** Of the agent that accepts the link. */
  readonly rank: number;
  /** What opens it, in the words of its role: the rank of a child, the identity of a controller. */
  readonly peer: string;
  /** Random, from the peer. */
  readonly nonce: string;
}

export interface Signer {
  /** 64 hexadecimal digits. */
  readonly sign: (...what: readonly Field[]) => string;
  readonly isSigned: (mac: string, ...what: readonly Field[]) => boolean;
}

/** Of parent links. `instance` is what distinguishes it from other instances that have the same certificate: see instanceName(). */
export const instanceKey = (secretKey: string, instance: readonly Field[]): Buffer =>
  hmac(secretKey, ['flux-pod parent link', ...instance]);

/** Of controller links. */
export const controllerKey = (
  secretKey: string,
  { namespace, cluster }: { readonly namespace: string | undefined; readonly cluster: string },
): Buffer => hmac(secretKey, ['flux-pod controller link', namespace ?? null, cluster]);

export function linkSigner(key: Buffer, { rank, peer, nonce }: LinkName): Signer {
  const linkKey = hmac(key, [rank, peer, nonce]);
  return {
    sign: (...what) => hmac(linkKey, what).toString('hex'),
    isSigned: (mac, ...what) => {
      const expected = Buffer.from(hmac(linkKey, what).toString('hex'));
      const given = Buffer.from(mac);
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

const hmac = (key: string | Buffer, what: readonly Field[]): Buffer =>
  createHmac('sha256', key).update(JSON.stringify(what)).digest();
