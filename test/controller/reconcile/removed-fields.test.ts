import { describe, expect, it } from 'vitest';
import type { KubernetesObject, ManagedFields } from '../../../controller/kubernetes/object.ts';
import { removedFields } from '../../../controller/reconcile/removed-fields.ts';

const object = (
  fields: object,
  metadata: object = {},
  managedFields?: readonly ManagedFields[],
): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'mc', ...metadata, ...(managedFields && { managedFields }) },
  ...fields,
});
const ours = (fieldsV1: object, more: ManagedFields = {}): ManagedFields => ({
  manager: 'flux-pod',
  operation: 'Apply',
  apiVersion: 'v1',
  fieldsV1,
  ...more,
});
const data = { 'f:data': { 'f:a': {}, 'f:b.sh': {} } };
const both = { data: { a: '1', 'b.sh': '2' } };

/** As the API server writes those of `containers`. */
const containers = (fields: object) => ({
  'f:spec': { 'f:containers': { 'k:{"name":"mc"}': { '.': {}, 'f:name': {}, ...fields } } },
});
const container = (fields: object) => ({ spec: { containers: [{ name: 'mc', ...fields }] } });
const env = containers({
  'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
});
const [withA, withB] = [{ name: 'A', value: '1' }, { name: 'B' }];

describe('the fields that were applied and are no longer desired', () => {
  it.each<[string, object, object, object, string[]]>([
    ['none', data, both, both, []],
    ['a key', data, { data: { a: '1' } }, both, ['data["b.sh"]']],
    ['all keys, each by its name', data, {}, both, ['data.a', 'data["b.sh"]']],
    ['a key that is away already', data, { data: { a: '1' } }, { data: { a: '1' } }, []],
    ['a key of another manager', data, both, { data: { ...both.data, theirs: '3' } }, []],
    [
      'an element',
      env,
      container({ env: [withB] }),
      container({ env: [withA, withB] }),
      ['spec.containers[mc].env[A]'],
    ],
    [
      'an element whose list is no longer there',
      env,
      container({}),
      container({ env: [withA] }),
      ['spec.containers[mc].env[A]'],
    ],
    [
      'a field of an element',
      env,
      container({ env: [{ name: 'A' }] }),
      container({ env: [withA] }),
      ['spec.containers[mc].env[A].value'],
    ],
    [
      'a list that is set as a whole',
      containers({ 'f:args': {} }),
      container({}),
      container({ args: ['x'] }),
      ['spec.containers[mc].args'],
    ],
    [
      'an empty object',
      { 'f:spec': { 'f:emptyDir': {} } },
      { spec: {} },
      { spec: { emptyDir: {} } },
      ['spec.emptyDir'],
    ],
    [
      'a key of a map that is set as a whole',
      { 'f:spec': { 'f:nodeSelector': {} } },
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { a: '1', b: '2' } } },
      ['spec.nodeSelector.b'],
    ],
    [
      'a key with an empty value of a map that is set as a whole',
      { 'f:spec': { 'f:nodeSelector': {} } },
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { a: '1', 'node-role.kubernetes.io/x': '' } } },
      ['spec.nodeSelector["node-role.kubernetes.io/x"]'],
    ],
    [
      'a field in a list that is set as a whole',
      { 'f:spec': { 'f:tolerations': {} } },
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'a', effect: 'NoSchedule' }] } },
      ['spec.tolerations[0].effect'],
    ],
    [
      'what Kueue has added to a map that was set as a whole, which is its own since then',
      { 'f:spec': { 'f:hostname': {} } },
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { a: '1', flavor: 'x' } } },
      [],
    ],
    [
      'an element of which a part of the key is a default',
      containers({
        'f:ports': { 'k:{"containerPort":8050,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
      }),
      container({ ports: [{ containerPort: 8050 }] }),
      container({ ports: [{ containerPort: 8050, protocol: 'TCP' }] }),
      [],
    ],
  ])('%s', (_, owned, desired, live, paths) => {
    expect(removedFields(object(desired), object(live, {}, [ours(owned)]))).toEqual(paths);
  });

  it.each<[string, readonly ManagedFields[] | undefined]>([
    ['of an object without managedFields', undefined],
    ['where somebody has emptied them', [{}]],
    ['of another manager', [ours(data, { manager: 'kubectl' })]],
    ['of a subresource', [ours(data, { subresource: 'status' })]],
    ['of another version', [ours(data, { apiVersion: 'v2' })]],
  ])('are none %s', (_, managedFields) => {
    expect(removedFields(object({}), object(both, {}, managedFields))).toEqual([]);
  });

  it('are named once where flux-pod has applied and patched them', () => {
    const live = object(both, {}, [ours(data), ours({ 'f:data': { 'f:a': {} } }, { operation: 'Update' })]);
    expect(removedFields(object({ data: { 'b.sh': '2' } }), live)).toEqual(['data.a']);
  });

  it('are of the metadata only what is set there', () => {
    const live = object({}, { labels: { a: '1', theirs: '2' } }, [
      ours({ 'f:metadata': { 'f:labels': { 'f:a': {} } } }),
    ]);
    expect(removedFields(object({}), live)).toEqual(['metadata.labels.a']);
  });
});
