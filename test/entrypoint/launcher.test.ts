import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-launcher-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const executable = (path: string, text: string) => {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
};
executable(join(directory, 'old/node'), '#!/bin/sh\necho an old Node.js\n');
mkdirSync(join(directory, 'node_modules/.bin'), { recursive: true });
symlinkSync(process.execPath, join(directory, 'node_modules/.bin/node'));
for (const place of ['dist', 'flux-pod']) {
  mkdirSync(join(directory, place));
  copyFileSync('entrypoint/launcher.sh', join(directory, place, 'flux-pod'));
  writeFileSync(join(directory, place, 'flux-pod.cjs'), 'console.log("ours", ...process.argv.slice(2))');
}

/** What the launcher prints where PATH has an old Node.js first. */
const run = (launcher: string) =>
  spawnSync('sh', [launcher, 'demo', '--size', '8'], {
    cwd: directory,
    env: { PATH: `${directory}/old:/usr/bin:/bin` },
    encoding: 'utf8',
  }).stdout;

describe('the launcher', () => {
  it.each(['dist/flux-pod', join(directory, 'dist/flux-pod')])(
    'of a checkout runs with the Node.js that came with the packages, whatever is on PATH: %s',
    (launcher) => expect(run(launcher)).toBe('ours demo --size 8\n'),
  );

  it('anywhere else does not look for one beside its directory', () =>
    expect(run('flux-pod/flux-pod')).toBe('an old Node.js\n'));
});
