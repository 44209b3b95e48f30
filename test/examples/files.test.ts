/** What can be said of the examples' files without kustomize; built.test.ts looks at what kustomize makes of them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { readEnvironment } from '../../agent/config/layers.ts';
import { type SettingName, settings } from '../../agent/config/settings.ts';
import type { Manifest } from '../../controller/render/render-minicluster.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { configuredJob } from '../support/agent/configured-job.ts';
import { podsOf, referenceProblems } from '../support/manifests/kubernetes-references.ts';
import { kubernetesValidator } from '../support/manifests/kubernetes-schema.ts';
import { directory, exampleNames, readYaml } from '../support/manifests/kustomize.ts';
import { environmentOf, jobOf } from '../support/manifests/miniclusters.ts';
import { brokenRestrictedRules } from '../support/manifests/restricted.ts';
import { haveSharedFixtures } from '../support/manifests/shared-fixtures.ts';

/** As much of a kustomization as the examples use. */
const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  resources: z.array(z.string()),
  nameSuffix: z.optional(z.string()),
  labels: z.optional(
    z.array(z.strictObject({ pairs: z.record(z.string(), z.string()), includeSelectors: z.boolean() })),
  ),
  patches: z.optional(z.array(z.strictObject({ path: z.string() }))),
  images: z.optional(z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() }))),
  configurations: z.optional(z.array(z.string())),
  configMapGenerator: z.optional(
    z.array(
      z.strictObject({
        name: z.string(),
        files: z.array(z.string()),
        options: z.strictObject({ disableNameSuffixHash: z.boolean() }),
      }),
    ),
  ),
});

const kustomizationOf = (folder: string) =>
  kustomization.parse(readYaml(`${directory}/${folder}/kustomization.yaml`));
const manifestsIn = (folder: string, files: readonly string[]) =>
  files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => readYaml(`${directory}/${folder}/${file}`) as Manifest);
const title = ({ apiVersion, kind, metadata }: Manifest) => `${apiVersion} ${kind} ${metadata?.name}`;

const base = manifestsIn('base', kustomizationOf('base').resources);
const baseTitles = base.map(title);

const validators = haveSharedFixtures
  ? { whole: kubernetesValidator(), part: kubernetesValidator({ partial: true }) }
  : { whole: () => [], part: () => [] };

describe('the base', () => {
  it.skipIf(!haveSharedFixtures)('is valid against the API of Kubernetes 1.32', () => {
    expect(base.flatMap(validators.whole)).toEqual([]);
    expect(base.flatMap(referenceProblems)).toEqual([]);
  });

  it('is admitted under restricted Pod Security', () => {
    expect(podsOf(base)).toHaveLength(1);
    expect(podsOf(base).flatMap(brokenRestrictedRules)).toEqual([]);
  });

  it('makes pods that flux-pod can configure itself in', () => {
    expect(configuredJob(jobOf({ manifests: base }))).toMatchObject({ cluster: 'flux', size: 4 });
  });

  it('names the image of this version, once for all examples', () => {
    const { version } = packageJson;
    expect(kustomizationOf('base').images).toEqual([
      { name: 'flux-pod', newName: 'flux-pod', newTag: version },
    ]);
    expect(exampleNames.flatMap((name) => kustomizationOf(name).images ?? [])).toEqual([]);
  });
});

describe.each(exampleNames)('%s', (name) => {
  const { resources, patches = [], labels, nameSuffix, configMapGenerator = [] } = kustomizationOf(name);
  const beside = resources.filter((resource) => resource !== '../base');
  const patchFiles = patches.map(({ path }) => path);

  it('is the base with a name and a label of its own', () => {
    expect(resources).toContain('../base');
    expect(nameSuffix).toBe(`-${name}`);
    expect(labels).toEqual([{ pairs: { 'flux-pod/minicluster': `flux-${name}` }, includeSelectors: true }]);
  });

  it('uses every file that is there', () => {
    const used = [...beside, ...patchFiles, ...configMapGenerator.flatMap(({ files }) => files)];
    const apart = ['kustomization.yaml', 'Dockerfile'];
    const there = readdirSync(`${directory}/${name}`).filter((file) => !apart.includes(file));
    expect(used.sort()).toEqual(there.sort());
  });

  it('patches what the base has', () => {
    for (const patch of manifestsIn(name, patchFiles)) expect(baseTitles).toContain(title(patch));
  });

  it.skipIf(!haveSharedFixtures)('has only fields of Kubernetes 1.32', () => {
    expect(manifestsIn(name, beside).flatMap(validators.whole)).toEqual([]);
    expect(manifestsIn(name, patchFiles).flatMap(validators.part)).toEqual([]);
  });

  it('has only settings of flux-pod, with values that it takes', () => {
    for (const container of podsOf(manifestsIn(name, patchFiles)).flatMap(({ containers }) => containers)) {
      expect(settingProblems(container)).toEqual([]);
    }
  });
});

function settingProblems(container: Container): string[] {
  const { layer, problems } = readEnvironment(environmentOf(container));
  const wrong = Object.entries(layer).filter(
    ([name, { value }]) => settings[name as SettingName].read(value) === undefined,
  );
  return [...problems.map(({ name }) => name), ...wrong.map(([name]) => name)];
}

it('the image with MPI is made of the same Flux as the image of flux-pod', () => {
  const [flux, mpi] = ['Dockerfile', `${directory}/mpi/Dockerfile`].map(
    (path) => /^ARG FLUX_IMAGE=(.+)$/m.exec(readFileSync(path, 'utf8'))?.[1],
  );
  expect(mpi).toBe(flux);
});

it('no certificate, no token and no Secret is among the files', () => {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const texts = files
    .map((file) => `${directory}/${file}`)
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'utf8'));
  expect(texts.length).toBeGreaterThan(exampleNames.length);
  for (const text of texts) expect(text).not.toMatch(/secret-key|PRIVATE KEY|^kind: Secret$/m);
});

it('the README tells of every example, and of no other', () => {
  const readme = readFileSync(`${directory}/README.md`, 'utf8');
  const told = [...readme.matchAll(/^\| \[(\w+)\]\((\w+)\/\)/gm)];
  expect(told.map(([, name]) => name).sort()).toEqual(exampleNames);
  for (const [, , folder] of told) expect(existsSync(`${directory}/${folder}`)).toBe(true);
});
