import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  checkKeyPair,
  readMountedCertificate,
} from '../../../agent/broker/certificate/mounted-certificate.ts';
import { messageOf, PodError } from '../../../agent/errors.ts';
import { byCzmq, byFluxKeygen, testKeys } from '../../support/agent/certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'curve-file-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;
const newPath = () => join(directory, `${++made}`);

function fileOf(text: string, mode = 0o400): string {
  const path = newPath();
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** The PodError that reading ends with. */
function refusalOf(read: () => unknown): PodError {
  try {
    read();
  } catch (error) {
    if (error instanceof PodError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const defaultMode = /defaultMode: 0440/;

describe('the certificate as it is mounted', () => {
  it.each([0o400, 0o440, 0o600, 0o640, 0o700, 0o750])('is read with mode %o', (mode) => {
    expect(readMountedCertificate(fileOf(byFluxKeygen, mode)).metadata.name).toBe('mycurve');
  });

  it.each([
    [0o444, 'every user can read or change it (mode 0444)'],
    [0o644, 'every user can read or change it (mode 0644)'],
    [0o604, 'every user can read or change it (mode 0604)'],
    [0o602, 'every user can read or change it (mode 0602)'],
    [0o777, 'every user can read or change it (mode 0777)'],
    [0o660, 'its group can change it (mode 0660)'],
    [0o420, 'its group can change it (mode 0420)'],
  ])('is refused with mode %o, with a hint how to mount it', (mode, why) => {
    const path = fileOf(byFluxKeygen, mode);
    const error = refusalOf(() => readMountedCertificate(path));
    expect(error).toMatchObject({
      exitCode: 77,
      message: `Cannot use the CURVE certificate ${path}: ${why}`,
      hint: expect.stringMatching(defaultMode),
    });
  });

  it('is read through the symbolic links of a kubelet, and anew once they lead elsewhere', () => {
    const mount = newPath();
    const write = (version: string, text: string) => {
      mkdirSync(join(mount, version), { recursive: true });
      writeFileSync(join(mount, version, 'curve.cert'), text, { mode: 0o440 });
      symlinkSync(version, join(mount, '..data_tmp'));
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    };
    write('..2026_11_24_04_00_00.1', byFluxKeygen);
    symlinkSync('..data/curve.cert', join(mount, 'curve.cert'));
    const read = () => readMountedCertificate(join(mount, 'curve.cert')).publicKey;
    expect(read()).toMatch(/^zE/);
    write('..2026_11_24_05_00_00.2', byCzmq);
    expect(read()).toBe(testKeys.publicKey);
  });

  it('is judged by the mode of the file, not of a link to it', () => {
    const link = newPath();
    symlinkSync(fileOf(byFluxKeygen, 0o644), link);
    expect(() => readMountedCertificate(link)).toThrow('every user can read or change it (mode 0644)');
  });

  it.each([
    ['missing', '/nowhere/curve.cert', 'there is no such file', /FLUX_POD_CURVE_CERT/],
    ['below a file', join(fileOf(''), 'curve.cert'), 'there is no such file', /FLUX_POD_CURVE_CERT/],
    ['a directory', directory, 'it is a directory', /FLUX_POD_CURVE_CERT/],
    ['empty', fileOf(''), 'it is damaged: it has no public-key', /keygen/],
    [
      'cut short',
      fileOf(byFluxKeygen.slice(0, -20)),
      'it is damaged: line 14 is not of the form key = "value" inside a section',
      /keygen/,
    ],
    [
      'a Secret still in base64',
      fileOf(Buffer.from(byFluxKeygen).toString('base64')),
      'it is damaged: line 1 is neither of the sections metadata and curve',
      /keygen/,
    ],
  ])('is refused when it is %s', (_, path, why, hint) => {
    const error = refusalOf(() => readMountedCertificate(path));
    expect(error).toMatchObject({
      exitCode: 77,
      message: `Cannot use the CURVE certificate ${path}: ${why}`,
      hint: expect.stringMatching(hint),
    });
  });

  it('is refused when the Secret has another key, and names the keys that there are', () => {
    const mount = mkdtempSync(join(directory, 'mount-'));
    const path = join(mount, 'curve.cert');
    const why = () =>
      refusalOf(() => readMountedCertificate(path))
        .message.split(': ')
        .slice(1)
        .join(': ');
    expect(why()).toBe(`there is no such file: ${mount} is empty`);
    for (const name of ['cert', '..data', 'key\n']) writeFileSync(join(mount, name), byFluxKeygen);
    expect(why()).toBe(`there is no such file, but cert, key? in ${mount}`);
    for (let n = 0; n < 20; n++) writeFileSync(join(mount, `other-${n}`), '');
    expect(why()).toMatch(/other-15 and 12 more in /);
  });

  it('is refused when a link leads in a circle, with the system’s error', () => {
    const link = newPath();
    symlinkSync(link, link);
    expect(refusalOf(() => readMountedCertificate(link))).toMatchObject({
      exitCode: 77,
      message: expect.stringContaining('ELOOP'),
    });
  });

  const nobody = 65_534;
  const isRoot = process.geteuid?.() === 0;
  const canBeOther = !isRoot || process.seteuid !== undefined;
  if (!canBeOther) {
    console.warn(
      'SKIPPED: a certificate that this user may not read. Root may read anything, and a worker thread cannot become ' +
        'another user: run the tests as another user, or with --pool=forks.',
    );
  }

  it.skipIf(!canBeOther)('is refused when this user may not read it, and how to mount it is said', () => {
    const path = join(tmpdir(), `curve-file-${process.pid}`);
    writeFileSync(path, byFluxKeygen, { mode: isRoot ? 0o400 : 0 });
    try {
      // Reading is synchronous: nothing else of this process runs as nobody meanwhile.
      if (isRoot) process.seteuid?.(nobody);
      const error = refusalOf(() => readMountedCertificate(path));
      expect(error).toMatchObject({
        exitCode: 77,
        message: expect.stringMatching(/^Cannot use the CURVE certificate .*: user \d+ may not read it$/),
        hint: expect.stringMatching(defaultMode),
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      rmSync(path);
    }
  });

  it.skipIf(!canBeOther)('is read by a user of its group, as with fsGroup', () => {
    const path = join(tmpdir(), `curve-file-group-${process.pid}`);
    writeFileSync(path, byFluxKeygen, { mode: 0o440 });
    try {
      if (isRoot) {
        chownSync(path, 0, nobody);
        process.setegid?.(nobody);
        process.seteuid?.(nobody);
      }
      expect(readMountedCertificate(path).metadata.name).toBe('mycurve');
    } finally {
      if (isRoot) {
        process.seteuid?.(0);
        process.setegid?.(0);
      }
      rmSync(path);
    }
  });
});

describe('checkKeyPair', () => {
  it('is content with keys that belong together', async () => {
    await expect(checkKeyPair('/mnt/curve.cert', { ...testKeys, metadata: {} })).resolves.toBeUndefined();
  });

  it('refuses others, and shows none', async () => {
    const { publicKey } = readMountedCertificate(fileOf(byFluxKeygen));
    const check = checkKeyPair('/mnt/curve.cert', { ...testKeys, publicKey, metadata: {} });
    await expect(check).rejects.toMatchObject({
      exitCode: 77,
      message:
        'Cannot use the CURVE certificate /mnt/curve.cert: it is damaged: its public key does not belong to its secret key',
    });
  });
});

it('no message, hint or cause shows a key, or a part of one, wherever a certificate is damaged', () => {
  const parts = Object.values(testKeys).flatMap((key) =>
    Array.from({ length: key.length - 5 }, (_, at) => key.slice(at, at + 6)),
  );
  const path = newPath();
  const told: unknown[] = [];
  for (let at = 0; at < byCzmq.length; at += 3) {
    const [before, after] = [byCzmq.slice(0, at), byCzmq.slice(at)];
    for (const text of [before, `${before}"\n${after}`, after]) {
      writeFileSync(path, text, { mode: 0o600 });
      try {
        readMountedCertificate(path);
      } catch (error) {
        if (!(error instanceof PodError)) throw error;
        told.push(error.message, error.hint, messageOf(error.cause));
      }
    }
  }
  expect(told.length).toBeGreaterThan(byCzmq.length);
  const all = told.join('\n');
  expect(parts.filter((part) => all.includes(part))).toEqual([]);
});
