import { messageOf } from '../../errors.ts';
import { writePrivate } from '../run-directory/run-directory.ts';
import { type CurveCertificate, formatCertificate } from './curve-certificate.ts';
import { checkKeyPair, readMountedCertificate } from './mounted-certificate.ts';

/** The certificate that this pod's brokers use: each of them the one that is mounted when it starts. */
export interface CertificateInUse {
  readonly secretKey: () => string;
  /** The part of the check that need not hold up the broker. Throws a PodError (exit 77). */
  readonly check: () => Promise<void>;
  /**
   * To be called before a broker starts. Takes over a certificate that was mounted meanwhile; one that cannot be used changes nothing.
   * Returns what has happened, as a sentence; undefined when the mounted certificate is the one in use.
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
  let text = formatCertificate(inUse);
  writePrivate(copy, text);
  return {
    secretKey: () => inUse.secretKey,
    check: () => checkKeyPair(mounted, inUse),
    renew: async () => {
      try {
        const now = readMountedCertificate(mounted);
        const nowText = formatCertificate(now);
        if (nowText === text) return undefined;
        await checkKeyPair(mounted, now);
        writePrivate(copy, nowText);
        [inUse, text] = [now, nowText];
      } catch (error) {
        return `${mounted} has changed, and is not used: ${messageOf(error)}`;
      }
      return `${mounted} has changed: the broker starts with the certificate that is mounted now`;
    },
  };
}
