import { describe, expect, it } from 'vitest';
import { whyUnknown } from '../../../../controller/render/minicluster/unknown-field.ts';

const path = (text: string): PropertyKey[] =>
  text.split('.').flatMap((part) => (part.endsWith('[]') ? [part.slice(0, -2), 0] : [part]));

/** Fields that flux-operator's api/ once had and has no more (v1alpha1, and v1alpha2 before 2024). */
const older = [
  'spec.volumes',
  'spec.users',
  'spec.fluxRestful',
  'spec.command',
  'spec.image',
  'spec.imagePullSecret',
  'spec.workingDir',
  'spec.pullAlways',
  'spec.cores',
  'spec.diagnostics',
  'spec.podLabels',
  'spec.localDeploy',
  'spec.sleeptime',
  'spec.test',
  'spec.flux.installRoot',
  'spec.flux.curveCertSecret',
  'spec.flux.container.cores',
  'spec.containers[].existingVolumes',
  'spec.services[].existingVolumes',
  'spec.containers[].cores',
  'spec.containers[].diagnostics',
  'spec.containers[].fluxUser',
  'spec.containers[].fluxLogLevel',
  'spec.containers[].fluxOptionFlags',
  'spec.containers[].preCommand',
  'spec.containers[].postStartExec',
  'spec.containers[].commands.runFluxAsRoot',
  'spec.containers[].securityContext.addCapabilities',
  'spec.containers[].volumes.data.readonly',
  'spec.containers[].volumes.data.storageClass',
  'spec.containers[].volumes.data.capacity',
  'spec.containers[].volumes.data.labels',
  'spec.containers[].volumes.data.annotations',
  'spec.containers[].volumes.data.claimAnnotations',
  'spec.containers[].volumes.data.delete',
  'spec.containers[].volumes.data.driver',
  'spec.containers[].volumes.data.attributes',
  'spec.containers[].volumes.data.volumeHandle',
  'spec.containers[].volumes.data.secret',
  'spec.containers[].volumes.data.secretNamespace',
];

describe('a field that a MiniCluster does not have', () => {
  it.each(older)('but once had says what replaces it: %s', (field) => {
    expect(whyUnknown(path(field))).toMatch(/^a MiniCluster has no such field any more: .{10}/);
  });

  it.each([
    ['spec.containers[].comand', 'command'],
    ['spec.services[].comands', 'commands'],
    ['spec.sise', 'size'],
    ['spec.flux.container.mountpath', 'mountPath'],
    ['spec.containers[].volumes.data.hostpath', 'hostPath'],
    ['spec.pod.nodeselector', 'nodeSelector'],
    ['sepc', 'spec'],
  ])('names the one that was meant: %s', (field, meant) => {
    expect(whyUnknown(path(field))).toBe(`a MiniCluster has no such field; did you mean ${meant}?`);
  });

  it('names none where none is near', () => {
    for (const field of ['spec.containers[].zzz', 'spec.environment.x', 'spec.nowhere.below'])
      expect(whyUnknown(path(field))).toBe('a MiniCluster has no such field');
  });
});
