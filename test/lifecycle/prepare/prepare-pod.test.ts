import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { openRunDirectory } from '../../../agent/broker/run-directory/run-directory.ts';
import { ExitCode } from '../../../agent/errors.ts';
import { preparePod } from '../../../agent/lifecycle/prepare/prepare-pod.ts';
import { fakeFlux } from '../../support/agent/agent.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

const [one, other] = ['one', 'other'].map((name) => createCertificate({ name }));
if (!one || !other) throw new Error('no certificates');
const notAPair = formatCertificate({ ...one, publicKey: other.publicKey });

/** Prepares the leader of so many brokers with this certificate; undefined for none. */
async function prepared(size: number, certificate: string | undefined, mode = 0o400) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-prepare-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const [flux, curveCert] = [join(place, 'flux'), join(place, 'curve.cert')];
  writeFileSync(flux, fakeFlux, { mode: 0o755 });
  if (certificate !== undefined) writeFileSync(curveCert, certificate, { mode });
  const configuration = configurationOf({ size, index: 0, dir: join(place, 'run'), flux, curveCert });
  const log = recordedLog();
  const openDirectory = () => openRunDirectory(configuration.dir, () => undefined);
  const pod = await preparePod(configuration, ['true'], process.env, openDirectory, log);
  const warnings = log.lines.filter(([level]) => level === 'warn').map(([, sentence]) => sentence);
  return { pod, warnings };
}

const unusable: [string, string, number][] = [
  ['is damaged', 'no certificate', 0o400],
  ['every user can read', formatCertificate(one), 0o444],
];

describe('a certificate', () => {
  it.each(unusable)('that %s is a warning for a single broker, which has no links', async (_, text, mode) => {
    const { pod, warnings } = await prepared(1, text, mode);
    expect(pod.certificate).toBeUndefined();
    expect(warnings).toEqual([
      expect.stringMatching(/^Cannot use the CURVE certificate .* takes no links of a controller$/s),
    ]);
    expect(readFileSync(pod.directory.brokerToml, 'utf8')).not.toContain('curve_cert');
  });

  it.each(unusable)('that %s is an error for more than one', async (_, text, mode) => {
    await expect(prepared(2, text, mode)).rejects.toMatchObject({ exitCode: ExitCode.certificate });
  });

  it('whose keys are no pair is an error for more than one broker only: links need the secret key', async () => {
    const single = await prepared(1, notAPair);
    await single.pod.certificate?.check();
    expect(single.pod.certificate?.secretKey()).toBe(one.secretKey);
    const { pod } = await prepared(2, notAPair);
    await expect(pod.certificate?.check()).rejects.toMatchObject({ exitCode: ExitCode.certificate });
  });

  it('is not missed by a single broker, and is by more than one', async () => {
    const { pod, warnings } = await prepared(1, undefined);
    expect([pod.certificate, warnings]).toEqual([undefined, []]);
    await expect(prepared(2, undefined)).rejects.toMatchObject({ exitCode: ExitCode.certificate });
  });
});
