import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CurveCertificate,
  formatCertificate,
} from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { type CertificateInUse, useCertificate } from '../../../agent/broker/certificate/private-copy.ts';

describe('the certificate in use', () => {
  const [first, second] = [createCertificate({ name: 'first' }), createCertificate({ name: 'second' })];
  let directory: string;
  let mounted: string;
  let copy: string;
  let inUse: CertificateInUse;
  const mount = (text: string, mode = 0o400) => {
    rmSync(mounted, { force: true });
    writeFileSync(mounted, text);
    chmodSync(mounted, mode);
  };
  const used = () => [inUse.secretKey(), readFileSync(copy, 'utf8')];
  const both = (certificate: CurveCertificate) => [certificate.secretKey, formatCertificate(certificate)];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'flux-pod-certificate-'));
    [mounted, copy] = [join(directory, 'mounted'), join(directory, 'copy')];
    mount(formatCertificate(first));
    inUse = useCertificate(mounted, copy, first);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is the mounted one, and stays it', async () => {
    expect(used()).toEqual(both(first));
    expect(await inUse.renew()).toBeUndefined();
    expect(used()).toEqual(both(first));
  });

  it('becomes the mounted one when a broker starts, with one message', async () => {
    mount(formatCertificate(second));
    expect(used()).toEqual(both(first));
    expect(await inUse.renew()).toBe(
      `${mounted} has changed: the broker starts with the certificate that is mounted now`,
    );
    expect(used()).toEqual(both(second));
    expect(await inUse.renew()).toBeUndefined();
    await inUse.check();
  });

  const unusable: [string, () => void, RegExp][] = [
    ['has gone', () => rmSync(mounted), /there is no such file/],
    ['is damaged', () => mount('metadata\ncurve\n'), /it has no public-key/],
    ['is open to everybody', () => mount(formatCertificate(second), 0o444), /every user can read/],
    [
      'is no key pair',
      () => mount(formatCertificate({ ...second, publicKey: first.publicKey })),
      /does not belong to its secret key/,
    ],
  ];
  it.each(unusable)('stays the same when the mounted one %s, with a message', async (_, change, why) => {
    change();
    const said = await inUse.renew();
    expect(said).toContain('has changed, and is not used: ');
    expect(said).toMatch(why);
    for (const { secretKey } of [first, second]) expect(said).not.toContain(secretKey);
    expect(used()).toEqual(both(first));
  });
});
