/**
 * The CURVE certificate that all brokers of an instance share: ZPL text (https://rfc.zeromq.org/spec/4/) with the
 * sections `metadata` and `curve`, in the dialect of Flux (flux-core src/common/libzmqutil/cert.c). No error here
 * has a key or a line of the file.
 */
import { decodeZ85 } from './z85.ts';

export interface CurveCertificate {
  /** 40 characters of Z85: an X25519 public key. */
  readonly publicKey: string;
  /** 40 characters of Z85: an X25519 private key. A secret. */
  readonly secretKey: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A certificate, or the reason why the text is none, which never quotes the text. */
export type CertificateReading = { readonly certificate: CurveCertificate } | { readonly damage: string };

/** Longest line that Flux reads, its newline included. */
const longestLine = 255;
const keyPattern = /^[A-Za-z0-9.-]+$/;
const valuePattern = /^[A-Za-z0-9.:+=^!/*?&<>()[\]{}@%$# \t-]*$/;

/** Parses a certificate made by flux-pod, `flux keygen` or CZMQ. isKeyPair() checks that its keys are a pair. */
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
  return {
    certificate: {
      publicKey: publicKey.text,
      secretKey: secretKey.text,
      metadata: Object.fromEntries(metadata),
    },
  };
}

function readKey(curve: ReadonlyMap<string, string>, name: string): { text: string } | { damage: string } {
  const text = curve.get(name);
  if (text === undefined) return { damage: `it has no ${name}` };
  return text.length === 40 && decodeZ85(text)
    ? { text }
    : { damage: `its ${name} is not 40 characters of Z85` };
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
