import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { createDesiredCache } from '../../../controller/reconcile/desired-cache.ts';
import { initialSizeAnnotation } from '../../../controller/size/asked-size.ts';
import { usualOptions } from '../../support/manifests/miniclusters.ts';

const miniCluster = (metadata: object = {}, spec: object = {}): KubernetesObject => ({
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  metadata: { name: 'mc', namespace: 'hpc', uid: 'u-1', generation: 1, ...metadata },
  ...{ spec: { size: 2, minSize: 1, maxSize: 4, containers: [{ image: 'a', command: 'true' }], ...spec } },
});
const job = (initial: string, completions: number): KubernetesObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'mc', namespace: 'hpc', annotations: { [initialSizeAnnotation]: initial } },
  ...{ spec: { completions } },
});

function counting() {
  const rendered: KubernetesObject[] = [];
  const cache = createDesiredCache((object) => {
    rendered.push(object);
    return usualOptions;
  });
  return { cache, rendered };
}

describe('the rendering of a MiniCluster', () => {
  it('is made once for what stays the same, whatever else of the resource changes', () => {
    const { cache, rendered } = counting();
    const first = cache.desired(miniCluster(), job('2', 2));
    const status = { status: { state: 'Running' } };
    const second = cache.desired({ ...miniCluster({ resourceVersion: '7' }), ...status }, job('2', 2));
    expect(second).toBe(first);
    expect(rendered).toHaveLength(1);
  });

  it.each<[string, KubernetesObject, KubernetesObject | undefined]>([
    ['its spec', miniCluster({ generation: 2 }, { size: 3 }), job('2', 2)],
    ['its labels', miniCluster({ labels: { team: 'a' } }), job('2', 2)],
    ['its annotations', miniCluster({ annotations: { 'flux-pod/image-installer': 'other' } }), job('2', 2)],
    ['the first size of its Job', miniCluster(), job('3', 2)],
    ['the size of its Job, which a refused size leaves', miniCluster(), job('2', 3)],
    ['its Job, which is away', miniCluster(), undefined],
    ['all of it, since it is another one of the same name', miniCluster({ uid: 'u-2' }), job('2', 2)],
  ])('is made again after a change of %s', (_, object, changed) => {
    const { cache, rendered } = counting();
    cache.desired(miniCluster(), job('2', 2));
    const again = cache.desired(object, changed);
    expect(rendered).toHaveLength(2);
    expect(again).toEqual(counting().cache.desired(object, changed));
  });

  it('is not kept when the MiniCluster is away', () => {
    const { cache, rendered } = counting();
    cache.desired(miniCluster(), undefined);
    cache.forget('hpc', 'mc');
    cache.desired(miniCluster(), undefined);
    expect(rendered).toHaveLength(2);
  });
});
