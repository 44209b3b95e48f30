import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences } from '../../../controller/reconcile/differences.ts';

const container = (more: object) => ({ spec: { containers: [{ name: 'flux', image: 'a', ...more }] } });

describe('the differences of a live object from the desired one', () => {
  it.each<[string, unknown, unknown, string[]]>([
    ['nothing', { a: 1 }, { a: 1 }, []],
    ['a field of another owner', { a: 1 }, { a: 1, b: 2 }, []],
    ['a field that is absent', { a: { b: 1 } }, { a: {} }, ['a.b']],
    ['an object that is absent', { a: { b: 1 } }, {}, ['a']],
    ['an object with nothing in it', { emptyDir: {} }, { emptyDir: {} }, []],
    ['an empty object that the server leaves out', { a: {} }, {}, []],
    ['an empty list that the server leaves out', { a: [] }, {}, []],
    ['a field that is desired to be unset', { a: undefined }, { a: 1 }, []],
    ['the zero value, left out', { a: false, b: 0, c: '' }, {}, []],
    [
      'a key of a map whose value is empty',
      { spec: { nodeSelector: { 'node-role.kubernetes.io/x': '' } }, data: { a: '' }, labels: { a: '' } },
      { spec: { nodeSelector: {} }, data: { b: '' }, labels: {} },
      ['spec.nodeSelector["node-role.kubernetes.io/x"]', 'data.a', 'labels.a'],
    ],
    ['an empty value of a map', { annotations: { a: '' } }, { annotations: { a: '', b: '' } }, []],
    ['a zero value that is another one', { a: false }, { a: true }, ['a']],
    [
      'a quantity in canonical form',
      { limits: { cpu: '0.5', memory: '1024Mi' } },
      { limits: { cpu: '500m', memory: '1Gi' } },
      [],
    ],
    ['a quantity as a number', { requests: { cpu: 2 } }, { requests: { cpu: '2' } }, []],
    ['a quantity with an exponent', { sizeLimit: '1e3' }, { sizeLimit: '1k' }, []],
    ['another quantity', { limits: { cpu: '0.5' } }, { limits: { cpu: '501m' } }, ['limits.cpu']],
    ['a text that would be the same quantity', { value: '1' }, { value: '1.0' }, ['value']],
    ['texts that are no quantities', { a: 'x' }, { a: 'y' }, ['a']],
    [
      'a list in another order without names',
      { command: ['a', 'b'] },
      { command: ['b', 'a'] },
      ['command[0]', 'command[1]'],
    ],
    ['a longer list without names', { command: ['a'] }, { command: ['a', 'b'] }, ['command']],
    [
      'a key that is no identifier',
      { labels: { 'flux-pod/minicluster': 'a' } },
      { labels: {} },
      ['labels["flux-pod/minicluster"]'],
    ],
    ['an element by its name', container({}), container({ image: 'b' }), ['spec.containers[flux].image']],
    [
      'an element of a webhook beside ours',
      container({}),
      { spec: { containers: [{ name: 'proxy' }, { name: 'flux', image: 'a' }] } },
      [],
    ],
    [
      'an element that is absent',
      container({}),
      { spec: { containers: [{ name: 'proxy' }] } },
      ['spec.containers[flux]'],
    ],
    ['another kind of value', { a: { b: 1 } }, { a: [1] }, ['a']],
  ])('%s', (_, desired, live, paths) => {
    expect(differences(desired, live)).toEqual(paths);
  });

  it('are none between an object and itself with more fields', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (object, more) => {
          expect(differences(object, { ...more, ...object })).toEqual([]);
        },
      ),
    );
  });

  it('name a changed leaf, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.integer({ min: 1 }), { minKeys: 1 }),
        (object) => {
          const [key = ''] = Object.keys(object);
          expect(differences({ spec: object }, { spec: { ...object, [key]: -1 } })).toEqual([`spec.${key}`]);
        },
      ),
    );
  });
});
