import { describe, expect, it } from 'vitest';
import { renderingOptions } from '../../../controller/reconcile/rendering-options.ts';

describe('the installer of a MiniCluster', () => {
  const installerOf = (installer: string, annotation?: string) =>
    renderingOptions({
      installer,
      seed: new Uint8Array(32),
      user: 'image',
      extras: new Set(),
    })({
      apiVersion: 'flux-framework.org/v1alpha2',
      kind: 'MiniCluster',
      metadata: {
        name: 'mc',
        ...(annotation !== undefined && { annotations: { 'flux-pod/image-installer': annotation } }),
      },
    }).installer;

  it('is the controller’s, unless the MiniCluster names another, and none where it says so', () => {
    expect(installerOf('ours')).toBe('ours');
    expect(installerOf('ours', 'theirs')).toBe('theirs');
    expect(installerOf('none')).toBeUndefined();
    expect(installerOf('ours', 'none')).toBeUndefined();
  });
});
