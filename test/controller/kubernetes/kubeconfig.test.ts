import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PodError } from '../../../agent/errors.ts';
import { loadKubeConfig } from '../../../controller/kubernetes/kubeconfig.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-kubeconfig-'));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

describe('a kubeconfig', () => {
  it('that cannot be read is an error that names it, and shows no secret', () => {
    const path = join(directory, 'config');
    vi.stubEnv('KUBECONFIG', path);
    writeFileSync(path, 'users: [{name: u, user: {token: c2VjcmV0LXRva2Vu}}\nclusters: [{name: c}\n');
    let error: PodError | undefined;
    try {
      loadKubeConfig();
    } catch (thrown) {
      error = thrown as PodError;
    }
    expect(error).toMatchObject({ exitCode: 78 });
    expect(error?.message).toMatch(/^Cannot read the kubeconfig: /);
    expect(`${error?.message} ${error?.hint} ${error?.cause}`).not.toContain('c2VjcmV0');
  });
});
