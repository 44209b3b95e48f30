/**
 * The keys of parent links. The instance's key is made from the certificate and the instance's name, the link's key from that, the two
 * ranks and the child's nonce: a signature is valid for this link of this instance, in one direction.
 *
 *     instance key = HMAC-SHA256(secret key of the certificate, ["flux-pod parent link", ...instance])
 *     link key     = HMAC-SHA256(instance key, [rank of the parent, rank of the child, nonce])
 *
 * What is signed is written as a JSON array, which can be read in one way only. A MAC does not give its key away (RFC 2104).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

type Field = string | number | null;

/** Both ends of a link, and what makes its key unique. */
export interface LinkName {
  readonly parent: number;
  readonly child: number;
  /** Random, from the child. */
  readonly nonce: string;
}

export interface Signer {
  /** 64 hexadecimal digits. */
  readonly sign: (...what: readonly Field[]) => string;
  readonly isSigned: (mac: string, ...what: readonly Field[]) => boolean;
}

/** `instance` is what distinguishes it from other instances that have the same certificate: see instanceName(). */
export const instanceKey = (secretKey: string, instance: readonly Field[]): Buffer =>
  hmac(secretKey, ['flux-pod parent link', ...instance]);

export function linkSigner(key: Buffer, { parent, child, nonce }: LinkName): Signer {
  const linkKey = hmac(key, [parent, child, nonce]);
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
