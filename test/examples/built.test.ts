/** What `kubectl apply -k` would apply. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { ExitCode } from '../../agent/errors.ts';
import type { Manifest } from '../../controller/render/render-minicluster.ts';
import { configuredJob } from '../support/agent/configured-job.ts';
import { reactionTo } from '../support/manifests/job-controller.ts';
import { podsOf, referenceProblems } from '../support/manifests/kubernetes-references.ts';
import { kubernetesValidator } from '../support/manifests/kubernetes-schema.ts';
import { directory, exampleNames, kustomize, kustomizeUnavailable } from '../support/manifests/kustomize.ts';
import { jobOf, manifest, podOf } from '../support/manifests/miniclusters.ts';
import { brokenRestrictedRules } from '../support/manifests/restricted.ts';
import { haveSharedFixtures } from '../support/manifests/shared-fixtures.ts';

const unavailable = kustomizeUnavailable();
if (unavailable) console.warn(`SKIPPED: what kustomize makes of the examples. ${unavailable}`);

describe.skipIf(unavailable)('built by kustomize', { timeout: 30_000 }, () => {
  const built = unavailable
    ? {}
    : Object.fromEntries(exampleNames.map((name) => [name, kustomize(`${directory}/${name}`)]));
  const manifestsOf = (name: string): Manifest[] => built[name] ?? [];
  const exampleOf = (name: string) => ({ manifests: manifestsOf(name) });
  const validate = haveSharedFixtures ? kubernetesValidator() : () => [];

  describe.each(exampleNames)('%s', (name) => {
    it.skipIf(!haveSharedFixtures)('is valid against the API of Kubernetes 1.32', () => {
      expect(manifestsOf(name).flatMap(validate)).toEqual([]);
      expect(manifestsOf(name).flatMap(referenceProblems)).toEqual([]);
    });

    it('is admitted under restricted Pod Security', () => {
      expect(podsOf(manifestsOf(name))).toHaveLength(1);
      expect(podsOf(manifestsOf(name)).flatMap(brokenRestrictedRules)).toEqual([]);
    });

    it('makes pods that flux-pod can configure itself in, as many as the Job has', () => {
      const job = jobOf(exampleOf(name));
      const { cluster, size, minSize, maxSize } = configuredJob(job);
      expect(cluster).toBe(`flux-${name}`);
      expect([job.spec?.completions, job.spec?.parallelism]).toEqual([size, size]);
      expect([minSize, size, maxSize]).toEqual([minSize, size, maxSize].sort((a, b) => a - b));
    });

    it('leaves flux-pod the time that its pods have to stop', () => {
      const { terminationGracePeriodSeconds = 30 } = podOf(exampleOf(name));
      expect(configuredJob(jobOf(exampleOf(name))).grace).toBeLessThan(terminationGracePeriodSeconds);
    });

    it('finds its pods by the Service that its pods name', () => {
      const headless = manifest(exampleOf(name), 'Service', podOf(exampleOf(name)).subdomain);
      expect(headless.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
      for (const selector of selectorsOf(manifestsOf(name)))
        expect(podLabels(jobOf(exampleOf(name)))).toMatchObject(selector);
    });
  });

  it('examples have no object in common, and none selects the pods of another', () => {
    const titles = exampleNames.flatMap((name) =>
      manifestsOf(name).map(({ kind, metadata }) => `${kind} ${metadata?.name}`),
    );
    expect(new Set(titles).size).toBe(titles.length);
    const owners = exampleNames.map((name) => podLabels(jobOf(exampleOf(name)))['flux-pod/minicluster']);
    expect(new Set(owners).size).toBe(exampleNames.length);
    for (const name of exampleNames) {
      for (const selector of selectorsOf(manifestsOf(name))) {
        expect(selector).toMatchObject({ 'flux-pod/minicluster': `flux-${name}` });
      }
    }
  });

  it('examples have no Secret in common, and each certificate is named after its MiniCluster', () => {
    const mounted = exampleNames.map((name) =>
      (podOf(exampleOf(name)).volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []),
    );
    expect(new Set(mounted.flat()).size).toBe(mounted.flat().length);
    for (const [index, name] of exampleNames.entries())
      expect(mounted[index]).toContain(`flux-curve-${name}`);
  });

  it('no command has what the kubelet would replace', () => {
    const words = exampleNames.flatMap((name) =>
      podsOf(manifestsOf(name)).flatMap(({ containers }) => containers.flatMap(({ command }) => command)),
    );
    for (const word of words) expect(word).not.toMatch(/\$\$|\$\(/);
  });

  it('spot nodes do not use up the tries, and a program that fails ends the Job at once', () => {
    const spec = jobOf(exampleOf('spot')).spec ?? {};
    const reaction = (code: number, ...conditions: string[]) =>
      reactionTo(spec, { exitCodes: { flux: code }, conditions });
    expect(reaction(1, 'DisruptionTarget')).toBe('replaced for free');
    expect(reaction(143)).toBe('replaced for free');
    for (const code of [ExitCode.peersUnavailable, 137]) expect(reaction(code)).toBe('replaced');
    for (const code of [1, ExitCode.noFlux, ExitCode.configuration])
      expect(reaction(code)).toBe('the Job fails');
  });

  describe('in a kustomization of your own', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'flux-pod-examples-'));
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));
    /** Builds a kustomization of `example` and these lines. */
    function own(name: string, example: string, lines: readonly string[]): Manifest[] {
      const folder = join(scratch, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'curve.cert'), 'what flux-pod keygen wrote');
      const path = relative(folder, join(process.cwd(), directory, example));
      writeFileSync(
        join(folder, 'kustomization.yaml'),
        [`resources: [${JSON.stringify(path)}]`, ...lines, ''].join('\n'),
      );
      return kustomize(folder);
    }

    it('the certificate can come from a file, and the pods mount that Secret', () => {
      const manifests = own('secret', 'hello', [
        'namePrefix: my-',
        'secretGenerator: [{ name: flux-curve-hello, files: [curve.cert] }]',
      ]);
      const secret = manifests.find(({ kind }) => kind === 'Secret')?.metadata?.name;
      expect(secret).toMatch(/^my-flux-curve-hello-\w+$/);
      const volumes = podOf({ manifests }).volumes ?? [];
      expect(volumes.find(({ name }) => name === 'flux-pod-curve')?.secret?.secretName).toBe(secret);
    });

    it('names, namespace, label and image can be changed, and everything still fits', () => {
      const manifests = own('named', 'interactive', [
        'namePrefix: my-',
        'namespace: hpc',
        'labels: [{ pairs: { flux-pod/minicluster: my-cluster }, includeSelectors: true }]',
        'images: [{ name: flux-pod, newName: registry.example.com/flux-pod, newTag: "2" }]',
      ]);
      const job = jobOf({ manifests });
      expect(job.metadata).toMatchObject({ name: 'my-flux-interactive', namespace: 'hpc' });
      expect(podOf({ manifests })).toMatchObject({
        subdomain: 'my-flux-interactive',
        containers: [{ image: 'registry.example.com/flux-pod:2' }],
      });
      const headless = manifest({ manifests }, 'Service', 'my-flux-interactive');
      expect(headless.spec?.selector).toEqual({ 'flux-pod/minicluster': 'my-cluster' });
      const secrets = podOf({ manifests }).volumes?.flatMap(({ secret }) => secret?.secretName ?? []);
      expect(secrets?.sort()).toEqual(['my-flux-api-interactive', 'my-flux-curve-interactive']);
      const members = { podSelector: { matchLabels: { 'flux-pod/minicluster': 'my-cluster' } } };
      const policy = manifest({ manifests }, 'NetworkPolicy', 'my-flux-interactive');
      expect(policy.spec).toMatchObject({ ...members, ingress: [{ from: [members] }, {}] });
      expect(JSON.stringify(manifests)).not.toContain('"flux-interactive"');
    });
  });
});

/** With those that the Job controller gives to index 0. */
const podLabels = ({ metadata, spec }: Job): Record<string, string> => ({
  ...spec?.template.metadata?.labels,
  'batch.kubernetes.io/job-name': metadata?.name ?? '',
  'batch.kubernetes.io/job-completion-index': '0',
});

const selectorsOf = (manifests: readonly Manifest[]): Record<string, string>[] =>
  manifests.flatMap((each) => {
    if (each.kind === 'NetworkPolicy') return [each.spec?.podSelector.matchLabels ?? {}];
    return each.kind === 'Service' && each.spec?.selector ? [each.spec.selector] : [];
  });
