import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { customResourceDefinition } from '../../controller/install/custom-resource.ts';
import {
  manifests,
  type PolicyRule,
  seedRule,
  usualValues,
  watchedRules,
} from '../../controller/install/manifests.ts';
import { manifestsForOne } from '../../controller/install/manifests-for-one.ts';
import { resources, type Verb } from '../../controller/kubernetes/resources.ts';
import { restrictedBreaches } from '../../controller/render/pod/pod-security-standard.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { SeenRequest } from '../support/kubernetes/api-server.ts';
import {
  type MemoryBed,
  miniCluster,
  settled,
  startController,
} from '../support/kubernetes/controller-bed.ts';
import { kustomize, kustomizeUnavailable } from '../support/manifests/kustomize.ts';

const { poll } = expect;

/**
 * The verbs of a request, as the authorizer sees them (apiserver pkg/endpoints/request/requestinfo.go); of a server-side apply `create` as well,
 * since the object may be missing (pkg/endpoints/handlers/patch.go, createAuthorizerAttributes).
 */
function verbsOf({ method, query, path }: SeenRequest): string[] {
  const isCollection =
    /\/[a-z]+$/.test(path) && Object.values(resources).some(({ plural }) => path.endsWith(`/${plural}`));
  if (method === 'GET') return [query.has('watch') ? 'watch' : isCollection ? 'list' : 'get'];
  if (method === 'PATCH') return query.has('force') ? ['patch', 'create'] : ['patch'];
  return [{ POST: 'create', DELETE: 'delete' }[method] ?? method];
}

/** `patch jobs`, `patch miniclusters/status`. */
function permissionsOf(request: SeenRequest): string[] {
  const [, plural = '', , subresource] =
    /^\/apis?(?:\/[a-z0-9.-]+)?\/v[0-9a-z]+(?:\/namespaces\/[^/]+)?\/([a-z]+)(\/[^/]+)?(?:\/([a-z]+))?$/.exec(
      request.path,
    ) ?? [];
  return verbsOf(request).map(
    (verb) => `${verb} ${plural}${subresource === undefined ? '' : `/${subresource}`}`,
  );
}

async function wholeLife(bed: MemoryBed): Promise<void> {
  const service = { image: 'db', name: 'db' };
  await bed.create(
    miniCluster({
      minSize: 1,
      maxSize: 3,
      cleanup: true,
      services: [service],
      flux: { container: { disable: true }, stateVolume: { size: '1Gi' } },
      containers: [{ image: 'a', commands: { pre: 'true' }, command: 'true' }],
    }),
  );
  await poll(async () => (await bed.status())?.state).toBe('Starting');
  await settled(bed);
  // Each kind: deleted, edited, no longer wanted.
  await bed.patch(resources.services, 'mc', { spec: { publishNotReadyAddresses: false } });
  await bed.patch(resources.miniClusters, 'mc', { spec: { size: 3 } });
  await poll(() => bed.find(resources.jobs)).toMatchObject({ spec: { completions: 3 } });
  for (let repeat = 0; repeat < 2; repeat++) {
    await bed.remove(resources.services);
    await poll(() => bed.find(resources.services)).toBeDefined();
    await settled(bed);
  }
  await bed.endJob(0);
  await poll(() => bed.find(resources.miniClusters)).toBeUndefined();
}

describe('the roles of the controller', () => {
  it('allow the requests that it makes', async () => {
    await using bed = await startController();
    await wholeLife(bed);
    const allowed = new Set(
      watchedRules.flatMap(({ resources: names, verbs }) => verbs.map((verb) => `${verb} ${names[0]}`)),
    );
    const asked = new Set(bed.server.requests.flatMap(permissionsOf));
    expect([...asked].filter((permission) => !allowed.has(permission))).toEqual([]);
    // Objects of each kind are deleted only when they are no longer wanted; an admission plugin asks for the finalizers.
    const unused = [...allowed].filter(
      (permission) => !asked.has(permission) && permission !== 'update miniclusters/finalizers',
    );
    expect(unused.filter((permission) => !permission.startsWith('delete '))).toEqual([]);
  });

  it('are a Role in each namespace where only some are watched', () => {
    const kinds = (watchedNamespaces: readonly string[] | undefined) =>
      manifests({ ...usualValues, image: 'i', watchedNamespaces }).map((object) => {
        const { kind, metadata } = object as { kind: string; metadata: { name: string; namespace?: string } };
        return `${kind} ${metadata.namespace ?? ''}`;
      });
    expect(kinds(undefined)).toContain('ClusterRole ');
    expect(kinds(['a', 'b']).filter((kind) => kind.startsWith('Cluster'))).toEqual([]);
    expect(kinds(['a', 'b'])).toEqual(
      expect.arrayContaining(['Role a', 'RoleBinding a', 'Role b', 'RoleBinding b']),
    );
  });

  it('are one Role in its namespace for one MiniCluster, which it names', () => {
    const objects = manifestsForOne({ namespace: 'hpc', miniCluster: 'mc', image: 'i' });
    expect(objects.map(({ kind }) => kind)).toEqual(['ServiceAccount', 'Role', 'RoleBinding', 'Deployment']);
    for (const { metadata } of objects)
      expect(metadata).toMatchObject({ namespace: 'hpc', name: 'flux-pod-controller-mc' });
    const { rules } = objects[1] as unknown as { rules: PolicyRule[] };
    for (const { resources: [name = ''] = [], resourceNames } of rules)
      expect(resourceNames, name).toEqual(name.startsWith('miniclusters') ? ['mc'] : undefined);
    expect(rules.map(({ resources: [name] }) => name)).toEqual(
      [...watchedRules, seedRule].map(({ resources: [name] }) => name),
    );
    // The NetworkPolicy of a MiniCluster lets in pods with this label.
    expect(objects[3]).toMatchObject({
      spec: { template: { metadata: { labels: { 'app.kubernetes.io/name': 'flux-pod-controller' } } } },
    });
  });

  it('never reach into pods, nodes or other roles', () => {
    const named = watchedRules.flatMap(({ resources: names }) => names);
    for (const forbidden of ['pods/exec', 'nodes', 'roles', 'clusterroles', 'serviceaccounts'])
      expect(named).not.toContain(forbidden);
    expect(watchedRules.flatMap(({ verbs }) => verbs as readonly (Verb | '*')[])).not.toContain('*');
  });
});

const unavailable = kustomizeUnavailable();
if (unavailable) console.warn(`SKIPPED: what the kustomization of the controller makes. ${unavailable}`);

it.skipIf(unavailable)(
  'the kustomization names an image of your own for the controller and for the pods that it renders',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'flux-pod-install-'));
    try {
      cpSync('controller/install', folder, { recursive: true });
      appendFileSync(
        join(folder, 'kustomization.yaml'),
        'images: [{ name: flux-pod-installer, newName: "registry:5000/own", newTag: "9" }]\n',
      );
      const text = JSON.stringify(kustomize(folder));
      expect(text.split('"registry:5000/own:9"')).toHaveLength(3);
      expect(text).not.toContain('flux-pod-installer:');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

it('what `kubectl apply -k` applies is made from these sources', () => {
  const read = (file: string) =>
    parseAllDocuments(readFileSync(`controller/install/${file}`, 'utf8')).map((document) => document.toJS());
  const image = `flux-pod-installer:${packageJson.version}`;
  expect(read('crd.yaml')).toEqual([JSON.parse(JSON.stringify(customResourceDefinition()))]);
  expect(read('controller.yaml')).toEqual(JSON.parse(JSON.stringify(manifests({ ...usualValues, image }))));
});

it('the Deployment is admitted by the restricted Pod Security Standard', () => {
  const [deployment] = manifests({ ...usualValues, image: 'i' }).filter(({ kind }) => kind === 'Deployment');
  const { spec } = (deployment as unknown as { spec: { template: { spec: PodSpec } } }).spec.template;
  expect(restrictedBreaches(spec)).toEqual([]);
  expect(spec.containers[0]?.securityContext?.readOnlyRootFilesystem).toBe(true);
});
