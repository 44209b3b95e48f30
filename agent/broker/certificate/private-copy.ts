/**
 * The broker's private copy of the mounted certificate: the copy belongs to this user alone, as Flux demands, and changes only when a broker
 * starts.
 */
import { messageOf } from '../../errors.ts';
import { writePrivate } from '../run-directory/private-file.ts';
import { type CurveCertificate, formatCertificate } from './curve-certificate.ts';
import { checkKeyPair, readMountedCertificate } from './mounted-certificate.ts';

/** The certificate that this pod's brokers use: each of them the one that is mounted when it starts. */
export interface CertificateInUse {
  readonly secretKey: () => string;
  /** The part of the check that need not delay the broker's start. Throws a PodError (exit 77). */
  readonly check: () => Promise<void>;
  /** Whether another certificate is mounted than the one in use. Throws a PodError (exit 77) where the mounted one cannot be used. */
  readonly isOutdated: () => Promise<boolean>;
  /**
   * To be called before a broker starts. Copies a certificate that was mounted meanwhile; one that cannot be used changes nothing.
   * Returns a sentence about it; undefined where the mounted certificate is the one in use.
   */
  readonly renew: () => Promise<string | undefined>;
}

/** `certificate` was read from `mounted`; the broker reads it from `copy`, which is written here. */
export function useCertificate(
  mounted: string,
  copy: string,
  certificate: CurveCertificate,
): CertificateInUse {
  let inUse = certificate;
  writePrivate(copy, formatCertificate(inUse));
  /** The mounted certificate, checked, where it is not the one in use. */
  const readOther = async (): Promise<CurveCertificate | undefined> => {
    const now = readMountedCertificate(mounted);
    if (formatCertificate(now) === formatCertificate(inUse)) return undefined;
    await checkKeyPair(mounted, now);
    return now;
  };
  return {
    secretKey: () => inUse.secretKey,
    check: () => checkKeyPair(mounted, inUse),
    isOutdated: async () => (await readOther()) !== undefined,
    renew: async () => {
      try {
        const other = await readOther();
        if (!other) return undefined;
        writePrivate(copy, formatCertificate(other));
        inUse = other;
      } catch (error) {
        return `${mounted} has changed, and is not used: ${messageOf(error)}`;
      }
      return `${mounted} has changed: the broker starts with the certificate that is mounted now`;
    },
  };
}
