/**
 * The key pair of a CURVE certificate: X25519 (RFC 7748). A file of its own because node:crypto takes 4 ms to
 * load, which would delay the broker's start.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { CurveCertificate } from './curve-certificate.ts';
import { decodeZ85, encodeZ85 } from './z85.ts';

/** Makes a new key pair. `metadata` is for people: Flux shows `name` in its log and ignores the rest. */
export function createCertificate(metadata: Readonly<Record<string, string>>): CurveCertificate {
  const { x, d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const z85Of = (base64url: string | undefined) => encodeZ85(Buffer.from(base64url ?? '', 'base64url'));
  return { publicKey: z85Of(x), secretKey: z85Of(d), metadata };
}

/** The certificate of a secret key: 32 bytes, whatever they are (RFC 7748, section 5, clamps them). */
export const certificateOf = (
  secretKey: Uint8Array,
  metadata: Readonly<Record<string, string>>,
): CurveCertificate => ({
  publicKey: encodeZ85(publicKeyOf(secretKey)),
  secretKey: encodeZ85(secretKey),
  metadata,
});

/** Whether the public key is the secret key's own. */
export function isKeyPair({ publicKey, secretKey }: CurveCertificate): boolean {
  const bytes = decodeZ85(secretKey);
  return bytes?.length === 32 && encodeZ85(publicKeyOf(bytes)) === publicKey;
}

/** DER of a PKCS #8 X25519 private key up to its 32 bytes (RFC 8410 section 7). */
const pkcs8Header = Buffer.from('302e020100300506032b656e04220420', 'hex');

function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Header, secretKey]),
    format: 'der',
    type: 'pkcs8',
  });
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
}
