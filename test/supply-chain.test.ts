import { readFileSync, realpathSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
  readFileSync('package-lock.json', 'utf8'),
);
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('what npm installs', () => {
  it('is pinned by hash, each package', () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(
      locked.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path),
    ).toEqual([]);
  });

  it('runs no script of a package', () => {
    const withScript = locked.filter(([, { hasInstallScript }]) => hasInstallScript);
    const allowed: Readonly<Record<string, boolean>> = packageJson.allowScripts;
    for (const [path] of withScript) expect(allowed[path.replace('node_modules/', '')], path).not.toBe(true);
    expect(Object.values(allowed)).not.toContain(true);
  });

  it('has the Node.js of development for Linux on x64 and arm64, which is the one that runs here', () => {
    const { version } = process;
    for (const architecture of ['x64', 'arm64'])
      expect(lock.packages[`node_modules/node-linux-${architecture}`]).toMatchObject({
        version: version.slice(1),
      });
    if (process.platform !== 'linux') return;
    expect(relative('.', realpathSync(process.execPath))).toBe(
      `node_modules/node-linux-${process.arch}/bin/node`,
    );
  });

  it('is installed without scripts for the images too', () => {
    const installs = readFileSync('Dockerfile', 'utf8').match(/npm (ci|i|install)\b[^&\n]*/g);
    expect(installs?.map((line) => line.trim())).toEqual(['npm ci --ignore-scripts']);
  });
});
