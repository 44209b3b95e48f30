import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExitCode, errnoOf, messageOf, PodError } from '../../errors.ts';
import { keysInstead } from '../../mounted-keys.ts';
import { operatorPaths } from '../../pod/operator-paths.ts';
import { type CurveCertificate, parseCertificate } from './curve-certificate.ts';

/**
 * Reads the certificate as it is mounted from the Secret. Its group may read it (by fsGroup, for a pod that is not root), others may not.
 * Throws a PodError (exit 77) with the reason where it is missing, unsafe or damaged.
 */
export function readMountedCertificate(path: string): CurveCertificate {
  let mode: number;
  let text: string;
  try {
    ({ mode } = statSync(path));
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const [why, hint] = explainUnreadable(path, error);
    throw refusal(path, why, hint, error);
  }
  if (!isOperators(path) && ((mode & 0o007) !== 0 || (mode & 0o020) !== 0)) {
    const who = (mode & 0o007) !== 0 ? 'every user can read or change it' : 'its group can change it';
    throw refusal(path, `${who} (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`, safeMount);
  }
  const reading = parseCertificate(text);
  if ('certificate' in reading) return reading.certificate;
  throw damaged(path, reading.damage);
}

/**
 * The Flux Operator has the certificate in a ConfigMap, which it mounts readable for every user; its users cannot change that. The broker
 * reads a private copy all the same.
 */
export const isOperators = (path: string): boolean => path === operatorPaths.certificate;

/**
 * Checks that the keys are a pair. This may run while the broker starts, which refuses a mismatch as well, with a poorer message. Throws a
 * PodError (exit 77).
 */
export async function checkKeyPair(path: string, certificate: CurveCertificate): Promise<void> {
  const { isKeyPair } = await import('./key-pair.ts');
  if (!isKeyPair(certificate)) throw damaged(path, 'its public key does not belong to its secret key');
}

const damaged = (path: string, damage: string): PodError =>
  refusal(path, `it is damaged: ${damage}`, `Make a new one: ${makeSecret}`);

const refusal = (path: string, why: string, hint: string, cause?: unknown): PodError =>
  new PodError(ExitCode.certificate, `Cannot use the CURVE certificate ${path}: ${why}`, { hint, cause });

const makeSecret = '`flux-pod keygen --secret NAME | kubectl apply -f -`.';
const safeMount =
  'Mount the Secret with defaultMode: 0440 (and securityContext.fsGroup for a user other than root), or 0400 for root.';

function explainUnreadable(path: string, error: unknown): [why: string, hint: string] {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return [
        `there is no such file${keysInstead(dirname(path))}`,
        `The key in the Secret is curve.cert, unless FLUX_POD_CURVE_CERT names another file. Make one with ${makeSecret}`,
      ];
    case 'EACCES':
      return [`user ${process.getuid?.()} may not read it`, safeMount];
    case 'EISDIR':
      return ['it is a directory', 'Set FLUX_POD_CURVE_CERT to the file in it, such as .../curve.cert.'];
    default:
      return [messageOf(error), safeMount];
  }
}
