import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { chartFiles } from '../../controller/install/chart.ts';
import { type Installed, manifests, usualImage, usualValues } from '../../controller/install/manifests.ts';
import { renderTemplate } from '../support/manifests/helm-template.ts';

const directory = 'controller/install/chart';
const read = (file: string) => readFileSync(`${directory}/${file}`, 'utf8');
const documentsOf = (text: string): Installed[] =>
  parseAllDocuments(text).flatMap((document) => document.toJS() ?? []);
/** By kind and name: Helm applies them in an order of its own. */
const sorted = (objects: readonly Installed[]): Installed[] => {
  const titleOf = ({ kind, metadata }: Installed) => `${kind} ${metadata.namespace} ${metadata.name}`;
  return JSON.parse(JSON.stringify(objects)).sort((a: Installed, b: Installed) =>
    titleOf(a).localeCompare(titleOf(b)),
  );
};
const withoutNamespace = (objects: readonly Installed[]) =>
  objects.filter(({ kind }) => kind !== 'Namespace');
const rendered = (namespace: string, values: object): Installed[] =>
  documentsOf(
    renderTemplate(read('templates/controller.yaml'), { Values: values, Release: { Namespace: namespace } }),
  );

describe('the Helm chart', () => {
  it('makes with its default values what `kubectl apply -k` applies, but the namespace, which is the release’s', () => {
    const applied = documentsOf(readFileSync('controller/install/controller.yaml', 'utf8'));
    const made = rendered(usualValues.namespace, parse(read('values.yaml')));
    expect(sorted(made)).toEqual(sorted(withoutNamespace(applied)));
  });

  it('makes with any values what the manifests are for them', () => {
    const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);
    const quantities = fc.dictionary(fc.constantFrom('cpu', 'memory'), fc.constantFrom('1', '50m', '1Gi'));
    const values = fc.record({
      image: fc.stringMatching(/^[a-z]{1,9}(:[0-9]{2,5})?\/[a-z-]{1,9}(:[0-9.]{1,5})?$/),
      viewImage: fc.constantFrom('', 'registry:5000/flux-pod-view:0.1.0'),
      namespaces: fc.uniqueArray(name, { maxLength: 3 }),
      replicas: fc.integer({ min: 1, max: 5 }),
      resources: fc.dictionary(fc.constantFrom('limits', 'requests'), quantities),
    });
    fc.assert(
      fc.property(name, values, (namespace, given) => {
        const { namespaces, ...rest } = given;
        const watchedNamespaces = namespaces.length > 0 ? namespaces : undefined;
        const expected = manifests({ namespace, watchedNamespaces, ...rest });
        expect(sorted(rendered(namespace, given))).toEqual(sorted(withoutNamespace(expected)));
      }),
    );
  });

  it('has the values that the manifests have, and the CRD that Helm installs first', () => {
    const { image, viewImage, namespaces, replicas, resources } = parse(read('values.yaml'));
    expect({ image, viewImage, namespaces, replicas, resources }).toEqual({
      image: usualImage,
      viewImage: usualValues.viewImage,
      namespaces: [],
      replicas: usualValues.replicas,
      resources: usualValues.resources,
    });
    expect(parse(read('crds/miniclusters.yaml'))).toEqual(
      parse(readFileSync('controller/install/crd.yaml', 'utf8')),
    );
  });

  it('is what is made of the sources', () => {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(
      files.map(({ parentPath, name }) => `${parentPath}/${name}`.slice(directory.length + 1)).sort(),
    ).toEqual(Object.keys(chartFiles()).sort());
    for (const [file, text] of Object.entries(chartFiles())) expect(read(file)).toContain(text);
  });
});
