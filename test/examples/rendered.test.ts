/** Examples take the decisions that `flux-pod render` takes: a change there has to be made here as well. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { readMiniCluster } from '../../controller/render/minicluster/read-minicluster.ts';
import { type Manifest, renderMiniCluster } from '../../controller/render/render-minicluster.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { directory, exampleNames, kustomize, kustomizeUnavailable } from '../support/manifests/kustomize.ts';
import {
  type GivenSpec,
  jobOf,
  manifest,
  miniCluster,
  podOf,
  usualOptions,
} from '../support/manifests/miniclusters.ts';

const unavailable = kustomizeUnavailable();
if (unavailable) console.warn(`SKIPPED: whether the examples are what render makes. ${unavailable}`);

describe.skipIf(unavailable)(
  'the Job, the headless Service and the NetworkPolicy are what `flux-pod render` makes',
  { timeout: 30_000 },
  () => {
    it.each(exampleNames)('of a MiniCluster like %s', (name) => {
      const { miniCluster: like = [{}, {}], change } = equivalents[name] ?? {};
      const expected = rendered(name, like);
      const example = { manifests: kustomize(`${directory}/${name}`) };
      change?.(podOf(expected), jobOf(expected), example);
      expect(comparable(example)).toEqual(comparable(expected));
    });
  },
);

interface Rendered {
  readonly manifests: readonly Manifest[];
}

interface Equivalent {
  /** `spec` of the MiniCluster and of its container that come closest to the example. */
  readonly miniCluster: readonly [spec: GivenSpec, container: GivenSpec];
  /** Puts into the Job what no MiniCluster can say. */
  readonly change?: (pod: PodSpec, job: Job, example: Rendered) => void;
}

const resources = (all: GivenSpec) => ({ resources: { requests: all, limits: all } });

const equivalents: Readonly<Record<string, Equivalent>> = {
  hello: { miniCluster: [{}, { launcher: true, command: 'flux run -N4 hostname' }] },
  mpi: {
    miniCluster: [
      {},
      {
        launcher: true,
        command: 'sh /program/run.sh',
        environment: { OMP_NUM_THREADS: '1' },
        ...resources({ cpu: '2', memory: '2Gi' }),
        volumes: {
          program: { configMapName: 'flux-program-mpi', path: '/program' },
          shm: { emptyDir: true, emptyDirMedium: 'memory', emptyDirSizeLimit: '512Mi' },
        },
      },
    ],
  },
  interactive: {
    miniCluster: [
      { interactive: true },
      {
        command: undefined,
        ports: [8052],
        environment: { FLUX_POD_API: 'on', FLUX_POD_API_TOKENS: '/etc/flux-pod/api' },
        volumes: {
          'api-tokens': { secretName: 'flux-api-interactive', path: '/etc/flux-pod/api', readOnly: true },
        },
      },
    ],
    change: (pod) => {
      for (const { name, secret } of pod.volumes ?? []) {
        if (name === 'api-tokens' && secret) secret.defaultMode = 0o440;
      }
      for (const port of pod.containers[0]?.ports ?? []) if (port.containerPort === 8052) port.name = 'api';
    },
  },
  elastic: {
    miniCluster: [
      { size: 2, minSize: 1, maxSize: 8, interactive: true },
      { command: undefined, ...resources({ cpu: '1', memory: '1Gi' }) },
    ],
  },
  gpu: {
    miniCluster: [
      {
        size: 2,
        pod: { tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }] },
      },
      {
        launcher: true,
        command: 'flux run -N2 -n2 -g1 nvidia-smi -L',
        environment: { NVIDIA_DRIVER_CAPABILITIES: 'compute,utility' },
        ...resources({ cpu: '4', memory: '8Gi', 'nvidia.com/gpu': '1' }),
      },
    ],
  },
  spot: {
    miniCluster: [
      { minSize: 2 },
      {
        launcher: true,
        command: 'sh /program/run.sh',
        environment: { FLUX_POD_GRACE: '12s' },
        ...resources({ cpu: '1', memory: '1Gi' }),
        volumes: { program: { configMapName: 'flux-program-spot', path: '/program' } },
      },
    ],
    // What the example is about: built.test.ts looks at it.
    change: (pod, job, example) => {
      const { terminationGracePeriodSeconds = 0, tolerations = [], affinity = {} } = podOf(example);
      Object.assign(pod, { terminationGracePeriodSeconds, tolerations });
      Object.assign(pod.affinity ?? {}, { nodeAffinity: affinity.nodeAffinity });
      Object.assign(job.spec ?? {}, { podFailurePolicy: jobOf(example).spec?.podFailurePolicy });
    },
  },
};

function rendered(name: string, [spec, container]: readonly [GivenSpec, GivenSpec]): Rendered {
  const given = miniCluster(
    { flux: { container: { disable: true } }, ...spec },
    { name: 'flux', image: `flux-pod:${packageJson.version}`, ...container },
    { name: `flux-${name}` },
  );
  const options = {
    ...usualOptions,
    installer: undefined,
    secret: `flux-curve-${name}`,
    extras: new Set(['probes', 'network-policy'] as const),
  };
  return structuredClone(renderMiniCluster(readMiniCluster(given), options));
}

/** The Job, the headless Service and the NetworkPolicy, without the order of what has names, and without labels that tell who made them. */
const comparable = (all: Rendered): unknown =>
  normalised([
    jobOf(all),
    manifest(all, 'Service', podOf(all).subdomain),
    manifest(all, 'NetworkPolicy', jobOf(all).metadata?.name),
  ]);

function normalised(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = value.map(normalised);
    const nameOf = (element: unknown) =>
      typeof element === 'object' && element !== null && 'name' in element ? String(element.name) : '';
    return list.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('app.kubernetes.io/'))
      .map(([key, inner]) => [key, normalised(inner)]),
  );
}
