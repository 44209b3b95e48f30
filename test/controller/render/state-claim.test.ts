import { describe, expect, it } from 'vitest';
import { readMiniCluster } from '../../../controller/render/minicluster/read-minicluster.ts';
import {
  environmentOf,
  fluxContainerOf,
  type GivenSpec,
  jobOf,
  manifest,
  miniCluster,
  podOf,
  render,
  warningsOf,
} from '../../support/manifests/miniclusters.ts';

const withVolume = (stateVolume: GivenSpec, spec: GivenSpec = {}) =>
  render({ flux: { container: { disable: true }, stateVolume }, ...spec });
const claimOf = (rendering: ReturnType<typeof render>) => manifest(rendering, 'PersistentVolumeClaim');

describe('a state volume', () => {
  it('is a claim that is named after the MiniCluster, and there is none without it', () => {
    const claim = claimOf(withVolume({ size: '2Gi', storageClassName: 'fast' }));
    expect(claim).toMatchObject({
      apiVersion: 'v1',
      metadata: { name: 'mc-state', labels: { 'flux-pod/minicluster': 'mc' } },
      spec: { storageClassName: 'fast', resources: { requests: { storage: '2Gi' } } },
    });
    expect(claimOf(withVolume({ size: '2Gi' })).spec).not.toHaveProperty('storageClassName');
    expect(claimOf(withVolume({ size: '2Gi', storageClassName: '' })).spec?.storageClassName).toBe('');
    expect(render().manifests.map(({ kind }) => kind)).not.toContain('PersistentVolumeClaim');
    expect(environmentOf(fluxContainerOf(render()))).not.toHaveProperty('FLUX_POD_STATE_DIR');
  });

  it('is applied before the Job, whose pods mount it for the container that runs Flux', () => {
    const rendering = withVolume({ size: '2Gi' });
    const kinds = rendering.manifests.map(({ kind }) => kind);
    expect(kinds.indexOf('PersistentVolumeClaim')).toBeLessThan(kinds.indexOf('Job'));
    expect(podOf(rendering).volumes).toContainEqual({
      name: 'flux-pod-state',
      persistentVolumeClaim: { claimName: 'mc-state' },
    });
    const container = fluxContainerOf(rendering);
    const mount = container.volumeMounts?.find(({ name }) => name === 'flux-pod-state');
    // The root of a volume belongs to root; the broker makes a directory of its own user.
    expect(environmentOf(container).FLUX_POD_STATE_DIR).toBe(`${mount?.mountPath}/statedir`);
    expect(mount?.readOnly).toBeUndefined();
    // Two leaders never write it: a pod is replaced when it has ended.
    expect(jobOf(rendering).spec?.podReplacementPolicy).toBe('Failed');
  });

  it.each([
    [{ size: 4 }, {}, 'ReadWriteMany', false],
    [{ size: 1 }, {}, 'ReadWriteOnce', false],
    [{ size: 1, maxSize: 2 }, {}, 'ReadWriteMany', false],
    [{ size: 4 }, { accessMode: 'ReadWriteOnce' }, 'ReadWriteOnce', true],
    [{ size: 1 }, { accessMode: 'ReadWriteOncePod' }, 'ReadWriteOncePod', false],
  ])(
    'of %j with %j is mounted %s, and a warning says where the pods start only on one node: %s',
    (spec, more, mode, warned) => {
      const rendering = withVolume({ size: '1Gi', ...more }, spec);
      expect(claimOf(rendering).spec?.accessModes).toEqual([mode]);
      expect(warningsOf(rendering).some((warning) => warning.includes('only on one node'))).toBe(warned);
    },
  );

  it.each([
    [{}, /spec\.flux\.stateVolume\.size: .*a quantity/],
    [{ size: '0Gi' }, /spec\.flux\.stateVolume\.size: expected more than nothing, not 0Gi/],
    [{ size: '-1Gi' }, /spec\.flux\.stateVolume\.size: expected more than nothing, not -1Gi/],
    [{ size: '0e3' }, /expected more than nothing/],
    [
      { size: '1Gi', storageClassName: 'Fast Disk' },
      /storageClassName: expected the name of a storage class/,
    ],
    [{ size: '1Gi', accessMode: 'ReadOnlyMany' }, /accessMode: expected one of/],
    [
      { size: '1Gi', accessMode: 'ReadWriteOncePod' },
      /ReadWriteOncePod, but all pods of a Job mount the volume/,
    ],
  ])('%j is refused with its path', (stateVolume, why) => {
    expect(() => readMiniCluster(miniCluster({ flux: { stateVolume } }))).toThrow(why);
  });
});
