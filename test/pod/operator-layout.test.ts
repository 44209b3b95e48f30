import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readOperatorLayout } from '../../agent/pod/operator-layout.ts';

/** A file system with these files. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'operator-layout-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const hostlist = { '/mnt/flux/config/etc/flux/system/hostlist': 'mc-[0-3]\n' };

describe('the layout of the Flux Operator', () => {
  it('is read from its mounts, whichever container of the MiniCluster runs Flux', () => {
    const root = rootWith({
      ...hostlist,
      '/mnt/flux/config/etc/flux/config/broker.toml': '[bootstrap]\n',
      '/flux_operator/wait-1.sh': 'exec flux',
      '/flux_operator/start-0.sh': 'sleep',
      '/flux_operator/curve.cert': 'keys',
    });
    expect(readOperatorLayout(root)).toEqual({
      hostlist: 'mc-[0-3]',
      brokerToml: '[bootstrap]\n',
      waitScript: { path: '/flux_operator/wait-1.sh', text: 'exec flux' },
      hasCertificate: true,
    });
  });

  it('may lack some files', () => {
    expect(readOperatorLayout(rootWith({ ...hostlist, '/flux_operator/flux-init.sh': '' }))).toEqual({
      hostlist: 'mc-[0-3]',
      brokerToml: '',
      waitScript: { path: '/flux_operator/wait-0.sh', text: '' },
      hasCertificate: false,
    });
  });

  it.each([
    ['a plain pod', {}],
    ['a pod with a Flux view only', { '/mnt/flux/view/bin/flux': '' }],
    ['a pod without its ConfigMap', hostlist],
    ['a pod whose init container has written nothing', { '/flux_operator/wait-0.sh': '' }],
  ])('is not there in %s', (_, files) => {
    expect(readOperatorLayout(rootWith(files))).toBeUndefined();
  });
});
