/**
 * The CURVE certificate that all brokers of an instance share: ZPL text (https://rfc.zeromq.org/spec/4/) with the
 * sections `metadata` and `curve`, in the dialect that Flux reads (flux-core src/common/libzmqutil/cert.c). No error here ever
 * carries a key or a line of the file.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { decodeZ85, encodeZ85 } from './z85.ts';

export interface CurveCertificate {
  /** 40 characters of Z85: an X25519 public key. */
  readonly publicKey: string;
  /** 40 characters of Z85: an X25519 private key. A secret. */
  readonly secretKey: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Makes a new key pair. `metadata` is for people: Flux shows `name` in its log and ignores the rest. */
export function createCertificate(metadata: Readonly<Record<string, string>>): CurveCertificate {
  const { x, d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const z85Of = (base64url: string | undefined) => encodeZ85(Buffer.from(base64url ?? '', 'base64url'));
  return { publicKey: z85Of(x), secretKey: z85Of(d), metadata };
}

/** A certificate that was parsed, or the reason why the text is none, which never shows the text. */
export type CertificateReading = { readonly certificate: CurveCertificate } | { readonly damage: string };

/** Longest line that Flux reads, its newline included. */
const longestLine = 255;
const keyPattern = /^[A-Za-z0-9.-]+$/;
const valuePattern = /^[A-Za-z0-9.:+=^!/*?&<>()[\]{}@%$# \t-]*$/;

/** Parses a certificate made by flux-pod, `flux keygen` or CZMQ, and checks that its keys are a pair. */
export function parseCertificate(text: string): CertificateReading {
  const sections = new Map([
    ['metadata', new Map<string, string>()],
    ['curve', new Map<string, string>()],
  ]);
  let section: Map<string, string> | undefined;
  for (const [number, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    if (!/^[ \t]/.test(line)) {
      section = sections.get(content);
      if (!section) return { damage: `line ${number + 1} is neither of the sections metadata and curve` };
      continue;
    }
    const [, key, value] = /^([^=\s]+)\s*=\s*"([^"]*)"$/.exec(content) ?? [];
    if (!section || key === undefined || value === undefined) {
      return { damage: `line ${number + 1} is not of the form key = "value" inside a section` };
    }
    section.set(key, value);
  }
  const [metadata = new Map(), curve = new Map()] = sections.values();
  const publicKey = readKey(curve, 'public-key');
  if ('damage' in publicKey) return publicKey;
  const secretKey = readKey(curve, 'secret-key');
  if ('damage' in secretKey) return secretKey;
  if (encodeZ85(publicKeyOf(secretKey.bytes)) !== publicKey.text) {
    return { damage: 'its public key does not belong to its secret key' };
  }
  return {
    certificate: {
      publicKey: publicKey.text,
      secretKey: secretKey.text,
      metadata: Object.fromEntries(metadata),
    },
  };
}

function readKey(
  curve: ReadonlyMap<string, string>,
  name: string,
): { text: string; bytes: Uint8Array } | { damage: string } {
  const text = curve.get(name);
  if (text === undefined) return { damage: `it has no ${name}` };
  const bytes = text.length === 40 ? decodeZ85(text) : undefined;
  return bytes ? { text, bytes } : { damage: `its ${name} is not 40 characters of Z85` };
}

/** DER of a PKCS #8 X25519 private key up to its 32 bytes (RFC 8410 section 7). */
const pkcs8Header = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The X25519 public key (32 bytes) of a private one (RFC 7748). */
function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Header, secretKey]),
    format: 'der',
    type: 'pkcs8',
  });
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
}

/**
 * The certificate as text that every Flux reads. Metadata that Flux's parser would refuse (CZMQ allows more
 * characters) is left out.
 */
export function formatCertificate({ publicKey, secretKey, metadata }: CurveCertificate): string {
  const lines = Object.entries(metadata)
    .filter(([key, value]) => keyPattern.test(key) && valuePattern.test(value))
    .map(([key, value]) => `    ${key} = "${value}"`)
    .filter((line) => line.length < longestLine);
  return [
    '#  ZeroMQ CURVE **Secret** Certificate',
    '#  DO NOT DISTRIBUTE',
    '',
    'metadata',
    ...lines,
    'curve',
    `    public-key = "${publicKey}"`,
    `    secret-key = "${secretKey}"`,
    '',
  ].join('\n');
}
