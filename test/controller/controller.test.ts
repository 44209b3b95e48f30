import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestsForOne } from '../../controller/install/manifests-for-one.ts';
import { ownedResources, resources } from '../../controller/kubernetes/resources.ts';
import { renderingOptions } from '../../controller/reconcile/rendering-options.ts';
import type { ControllerOptions } from '../../controller/run-controller.ts';
import { startApiServer } from '../support/kubernetes/api-server.ts';
import {
  type ControllerBed,
  miniCluster,
  settled,
  startController,
  startControllerAt,
} from '../support/kubernetes/controller-bed.ts';
import { createFakeLeaders, demandOf, podIP } from '../support/kubernetes/fake-leaders.ts';
import { isWrite } from '../support/kubernetes/faulty-api.ts';
import {
  type RealApiServer,
  realApiServerUnavailable,
  restrictedAccount,
  startRealApiServer,
} from '../support/kubernetes/real-api-server.ts';

const holding = async (bed: ControllerBed, name?: string) =>
  (await bed.status(name))?.conditions.filter(({ status }) => status === 'True').map(({ type }) => type);
const { poll } = expect;

const unavailable = realApiServerUnavailable();
let real: RealApiServer | undefined;
let namespaces = 0;
/** Of a real one every test has a namespace, which its controller watches alone. */
async function startReal(options: Partial<ControllerOptions> = {}): Promise<ControllerBed> {
  if (!real) throw new Error('the real API server does not run');
  const namespace = `hpc-${namespaces++}`;
  await real.post('/api/v1/namespaces', { metadata: { name: namespace } });
  return startControllerAt({ config: real.config, namespace }, { namespaces: [namespace], ...options });
}
const servers = [
  { server: 'in memory', isReal: false, skipped: undefined, startBed: startController },
  {
    server: `of Kubernetes${unavailable === undefined ? '' : ` (SKIPPED: ${unavailable})`}`,
    isReal: true,
    skipped: unavailable,
    startBed: startReal,
  },
];

beforeAll(async () => {
  if (unavailable === undefined) real = await startRealApiServer();
}, 180_000);
afterAll(() => real?.[Symbol.asyncDispose]());

describe.each(servers)('with the API server $server', ({ skipped, startBed }) => {
  describe.skipIf(skipped !== undefined)('', () => {
    describe('a MiniCluster that is created', () => {
      it('gets its objects, which it owns, and a status', async () => {
        await using bed = await startBed();
        const { metadata } = await bed.create(miniCluster());
        await poll(() => bed.find(resources.jobs)).toBeDefined();
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        const owned = await bed.owned();
        expect(owned.map(({ kind }) => kind).sort()).toEqual(
          ['Job', 'NetworkPolicy', 'PodDisruptionBudget', 'PodDisruptionBudget', 'Secret', 'Service'].sort(),
        );
        for (const object of owned)
          expect(object.metadata.ownerReferences).toMatchObject([{ uid: metadata.uid, controller: true }]);
        expect(await bed.status()).toMatchObject({
          size: 2,
          selector: 'flux-pod/minicluster=mc',
          observedGeneration: 1,
        });
        expect(await holding(bed)).toEqual(['Progressing', 'Valid', 'UpToDate']);
      });

      it('is ready with its brokers, succeeds with its Job, and tells its life in Events', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.runPods();
        await poll(() => bed.status()).toMatchObject({ state: 'Running', brokersOnline: 2 });
        await bed.endJob(0);
        await poll(() => bed.status()).toMatchObject({
          state: 'Succeeded',
          exitCode: 0,
          message: 'The program has ended with 0',
        });
        expect(await holding(bed)).toEqual(['Succeeded', 'Valid', 'UpToDate']);
        await poll(async () => (await bed.story()).at(-1)).toBe('Succeeded: The program has ended with 0');
        expect((await bed.story()).map((line) => line.split(':')[0])).toEqual([
          ...Array(6).fill('Created'),
          'Ready',
          'Succeeded',
        ]);
      });

      it('fails with the code of its program, and is not run again', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.endJob(3);
        await poll(() => bed.status()).toMatchObject({ state: 'Failed', exitCode: 3 });
        await bed.remove(resources.jobs);
        await settled(bed);
        expect(await bed.find(resources.jobs)).toBeUndefined();
        expect(await bed.status()).toMatchObject({ state: 'Failed', exitCode: 3 });
      });

      it('is told what is wrong with it, and created when that is mended', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster({ containers: [{ image: 'a', command: 'true', ports: [9000, 9000] }] }));
        await poll(async () => (await bed.status())?.state).toBe('Invalid');
        const valid = (await bed.status())?.conditions.find(({ type }) => type === 'Valid');
        expect(valid?.message).toMatch(/^spec\.containers\[0\]\.ports\[1\]: 9000 is there twice/);
        expect(await bed.owned()).toEqual([]);
        await bed.patch(resources.miniClusters, 'mc', {
          spec: { containers: [{ image: 'a', command: 'true' }] },
        });
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        expect(await bed.find(resources.jobs)).toBeDefined();
      });

      it('says what the API server refuses and why, and is created when that is mended', async () => {
        await using bed = await startBed();
        const container = (requests: object) => ({
          image: 'a',
          command: 'true',
          resources: { requests, limits: { cpu: '1' } },
        });
        await bed.create(miniCluster({ containers: [container({ cpu: '2' })] }));
        const upToDate = async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate');
        await poll(upToDate).toMatchObject({ status: 'False', reason: 'Refused' });
        expect((await upToDate())?.message).toMatch(
          /^The API server refuses the Job mc: .*must be less than or equal to cpu limit/,
        );
        await poll(async () => (await bed.story()).filter((line) => line.startsWith('Refused'))).toHaveLength(
          1,
        );
        await bed.patch(resources.miniClusters, 'mc', { spec: { containers: [container({ cpu: '1' })] } });
        await poll(upToDate).toMatchObject({ status: 'True' });
        expect(await bed.find(resources.jobs)).toBeDefined();
      });

      it('takes over no object of another owner', async () => {
        await using bed = await startBed();
        const theirs = {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'mc', namespace: 'hpc' },
          spec: { type: 'ClusterIP', ports: [{ port: 80 }] },
        };
        await bed.create(theirs);
        await bed.create(miniCluster());
        await poll(
          async () => (await bed.status())?.conditions.find(({ type }) => type === 'Valid')?.message,
        ).toMatch(new RegExp(`Service ${bed.namespace}/mc exists and belongs to something else`));
        expect(await bed.find(resources.services)).toMatchObject({ spec: { type: 'ClusterIP' } });
        expect((await bed.find(resources.services))?.metadata.ownerReferences).toBeUndefined();
      });
    });

    describe('what a MiniCluster owns', () => {
      it('is created again when it is deleted, with the same certificate', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await settled(bed);
        for (const resource of ownedResources)
          for (const { metadata, data } of await bed.all(resource)) {
            await bed.remove(resource, metadata.name);
            await poll(
              async () => (await bed.find(resource, metadata.name))?.metadata.uid ?? metadata.uid,
            ).not.toBe(metadata.uid);
            expect((await bed.find(resource, metadata.name))?.data).toEqual(data);
          }
      });

      it.each([
        [
          resources.services,
          { spec: { publishNotReadyAddresses: false } },
          { spec: { publishNotReadyAddresses: true } },
        ],
        [resources.jobs, { spec: { parallelism: 1 } }, { spec: { parallelism: 2 } }],
        [
          resources.jobs,
          { metadata: { labels: { 'flux-pod/minicluster': null } } },
          { metadata: { labels: { 'flux-pod/minicluster': 'mc' } } },
        ],
      ])('is repaired when it is edited: %o', async (resource, edit, repaired) => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await settled(bed);
        await bed.patch(resource, 'mc', edit);
        await poll(() => bed.find(resource)).toMatchObject(repaired);
      });

      it('is not repaired in what another manager owns: whether Kueue suspends the Job', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        bed.simulate();
        await bed.patch(resources.jobs, 'mc', { spec: { suspend: true } });
        await poll(async () => (await bed.status())?.state).toBe('Suspended');
        await settled(bed);
        expect(await bed.find(resources.jobs)).toMatchObject({ spec: { suspend: true } });
      });

      it('goes with it, and nothing comes back', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.runPods();
        await bed.remove(resources.miniClusters);
        await poll(async () => [...(await bed.owned()), ...(await bed.all(resources.pods))]).toEqual([]);
        await settled(bed);
        expect(await bed.owned()).toEqual([]);
      });

      it('does not come back while the deletion waits for a finalizer', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster({}, { finalizers: ['flux-pod.test/wait'] }));
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await settled(bed);
        await bed.remove(resources.miniClusters);
        for (const resource of ownedResources)
          for (const { metadata } of await bed.all(resource)) await bed.remove(resource, metadata.name);
        await settled(bed);
        expect(await bed.owned()).toEqual([]);
        expect(await bed.find(resources.miniClusters)).toBeDefined();
      });
    });

    describe('a live MiniCluster', () => {
      it('is resized within its bounds', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster({ minSize: 1, maxSize: 4 }));
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.patch(resources.miniClusters, 'mc', { spec: { size: 4 } });
        await poll(() => bed.find(resources.jobs)).toMatchObject({
          spec: { completions: 4, parallelism: 4 },
        });
        await poll(async () => (await bed.status())?.size).toBe(4);
        await bed.patch(resources.miniClusters, 'mc', { spec: { size: 9 } });
        await poll(
          async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate')?.reason,
        ).toBe('SizeOutOfBounds');
        expect(await bed.find(resources.jobs)).toMatchObject({ spec: { completions: 4 } });
        await poll(async () => (await bed.story()).at(-1)).toBe(
          'SizeOutOfBounds: spec.size is 9, but the bounds are 1 to 4: the size stays 4.',
        );
      });

      it('follows the demand of its queue, but for as long as a client of the scale subresource owns its size', async () => {
        const leaders = createFakeLeaders();
        await using bed = await startBed({ createLeaders: leaders.create });
        bed.simulate(podIP);
        await bed.create(miniCluster({ minSize: 1, maxSize: 8, autoscaling: {} }));
        await poll(() => bed.status()).toMatchObject({ state: 'Running', sizeDecidedBy: 'Demand' });
        const decided = async (size: number, sizeDecidedBy: string) => {
          await poll(() => bed.status()).toMatchObject({ size, sizeDecidedBy });
          expect(await bed.find(resources.jobs)).toMatchObject({
            spec: { completions: size, parallelism: size },
          });
        };
        leaders.report(demandOf(3, { reason: 'job ƒ2x needs 3 nodes' }));
        await decided(3, 'Demand');
        await bed.scale(5);
        await decided(5, 'Scale:test');
        leaders.report(demandOf(7));
        await settled(bed);
        await decided(5, 'Scale:test');
        await bed.patch(resources.miniClusters, 'mc', { spec: { size: 4 } });
        await decided(7, 'Demand');
        await bed.patch(resources.miniClusters, 'mc', { spec: { autoscaling: null } });
        await decided(4, 'Spec');
        await poll(async () => (await bed.story()).filter((line) => line.startsWith('Scaled'))).toEqual([
          'Scaled: 2 to 3: job ƒ2x needs 3 nodes',
          'Scaled: 3 to 5: test has scaled it',
          'Scaled: 5 to 7: 7 nodes are wanted',
          'Scaled: 7 to 4: spec.size asks for it',
        ]);
      });

      it('names the fields that its Job does not take, and replaces the Job where that is asked for', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        const { uid } = (await bed.find(resources.jobs))?.metadata ?? {};
        await bed.patch(resources.miniClusters, 'mc', {
          spec: { containers: [{ image: 'b', command: 'true' }] },
        });
        await poll(
          async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate')?.message,
        ).toMatch(/spec\.template\.spec\.containers\[mc\]\.image/);
        expect((await bed.find(resources.jobs))?.metadata.uid).toBe(uid);
        await bed.patch(resources.miniClusters, 'mc', {
          metadata: { annotations: { 'flux-pod/update-strategy': 'Recreate' } },
        });
        await poll(async () => JSON.stringify((await bed.find(resources.jobs))?.spec ?? '')).toMatch(
          /"image":"b"/,
        );
        expect((await bed.find(resources.jobs))?.metadata.uid).not.toBe(uid);
      });

      it('is suspended and resumed by its own field', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.patch(resources.miniClusters, 'mc', { spec: { suspend: true } });
        await poll(() => bed.find(resources.jobs)).toMatchObject({ spec: { suspend: true } });
        await bed.patch(resources.miniClusters, 'mc', { spec: { suspend: null } });
        await poll(() => bed.find(resources.jobs)).toMatchObject({ spec: { suspend: false } });
        // From now on Kueue may suspend it.
        await settled(bed);
        await bed.patch(resources.jobs, 'mc', { spec: { suspend: true } });
        await settled(bed);
        expect(await bed.find(resources.jobs)).toMatchObject({ spec: { suspend: true } });
      });

      it('is deleted after its end where it asks for that', async () => {
        await using bed = await startBed({ cleanupMs: 50 });
        await bed.create(miniCluster({ cleanup: true }));
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.endJob(0);
        await poll(() => bed.find(resources.miniClusters)).toBeUndefined();
      });
    });

    describe('the controller', () => {
      it('makes no request while nothing happens', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.runPods();
        await poll(async () => (await bed.status())?.state).toBe('Running');
        await settled(bed);
        const before = bed.calls.length;
        await settled(bed, 500);
        expect(bed.calls.slice(before)).toEqual([]);
      });

      it('writes nothing when it starts again and all is as it should be', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await settled(bed);
        await bed.stop();
        const before = bed.calls.length;
        bed.start();
        await poll(() => bed.calls.length).toBeGreaterThan(before);
        await settled(bed);
        expect(bed.calls.slice(before).filter(isWrite)).toEqual([]);
      });

      it('sees what happened while it was away', async () => {
        await using bed = await startBed();
        await bed.create(miniCluster());
        await poll(async () => (await bed.status())?.state).toBe('Starting');
        await bed.stop();
        await bed.remove(resources.services);
        await bed.endJob(0);
        bed.start();
        await poll(async () => (await bed.status())?.state).toBe('Succeeded');
        await poll(() => bed.find(resources.services)).toBeDefined();
      });
    });
  });
});

describe.each(servers)(
  'a controller of one MiniCluster, with the API server $server',
  ({ skipped, isReal }) => {
    it.skipIf(skipped !== undefined)('does its work by a Role, and none for others', async () => {
      const { namespace } = restrictedAccount;
      const options = { namespaces: [namespace], miniCluster: 'mc' };
      await using memory = await startApiServer();
      const kubernetes = isReal ? real : undefined;
      const [config, others] = kubernetes
        ? [kubernetes.restricted, kubernetes.config]
        : [memory.config, memory.others];
      if (kubernetes) {
        await kubernetes.post('/api/v1/namespaces', { metadata: { name: namespace } });
        const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
        for (const object of manifestsForOne({ namespace, miniCluster: 'mc', image: 'i' }))
          if (object.kind.startsWith('Role'))
            await kubernetes.post(`${roles}/${object.kind.toLowerCase()}s`, object);
      }
      await using bed = await startControllerAt({ config, others, namespace }, options);
      await bed.create(miniCluster({}, { name: 'other' }));
      await bed.create(miniCluster({ minSize: 1, maxSize: 4 }));
      await poll(async () => (await bed.status())?.state).toBe('Starting');
      await bed.patch(resources.miniClusters, 'mc', { spec: { size: 3 } });
      await poll(async () => (await bed.status())?.size).toBe(3);
      await bed.endJob(0);
      await poll(async () => (await bed.story()).at(-1)).toBe('Succeeded: The program has ended with 0');
      expect(await bed.status('other')).toBeUndefined();
      expect(await bed.find(resources.jobs, 'other')).toBeUndefined();
      expect(bed.warnings).toEqual([]);
    });
  },
);

it.skipIf(unavailable !== undefined)(
  'an API server of Kubernetes refuses autoscaling without bounds, and with no room between them',
  async () => {
    const namespace = 'bounds';
    await real?.post('/api/v1/namespaces', { metadata: { name: namespace } });
    const create = (spec: object) =>
      real?.post(
        `/apis/flux-framework.org/v1alpha2/namespaces/${namespace}/miniclusters`,
        miniCluster({ autoscaling: {}, ...spec }, { namespace }),
      );
    for (const spec of [{}, { minSize: 1 }, { maxSize: 4 }, { minSize: 2, maxSize: 2 }])
      await expect(create(spec)).rejects.toThrow(/: 422$/);
    await create({ minSize: 1, maxSize: 4 });
  },
);

describe('the controller with the API server in memory', () => {
  it('works with the Operator’s CRD, whose status has five fields', async () => {
    await using bed = await startController();
    bed.server.schema.statusFields = ['jobid', 'maximumSize', 'selector', 'size', 'conditions'];
    await bed.create(miniCluster());
    await poll(() => bed.find(resources.jobs)).toBeDefined();
    await bed.endJob(3);
    await poll(() => holding(bed)).toEqual(['Failed', 'Valid', 'UpToDate']);
    expect(Object.keys((await bed.status()) ?? {}).sort()).toEqual([
      'conditions',
      'jobid',
      'maximumSize',
      'selector',
      'size',
    ]);
    await settled(bed);
    const before = bed.calls.length;
    await bed.patch(resources.jobs, 'mc', { metadata: { labels: { unrelated: 'yes' } } });
    await settled(bed);
    expect(bed.calls.slice(before)).toEqual([]);
  });

  it('lists again when the API server no longer has the events since (410)', async () => {
    await using bed = await startController();
    await bed.create(miniCluster());
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await settled(bed);
    // Watches end, and events are compacted before they begin again.
    bed.server.fault = ({ query }) => (query.has('watch') ? 'unavailable' : undefined);
    bed.server.endWatches();
    await bed.remove(resources.services);
    bed.server.store.compact();
    bed.server.fault = () => undefined;
    await poll(() => bed.find(resources.services)).toBeDefined();
  });

  it.each(['unavailable', 'conflict', 'lost answer', 'reset'] as const)(
    'reaches the same end when each request is answered by "%s" once',
    async (fault) => {
      await using bed = await startController();
      const failed = new Set<string>();
      bed.server.fault = ({ method, path, query }) => {
        const request = `${method} ${path} ${query.has('watch')}`;
        if (failed.has(request) || query.has('watch')) return undefined;
        failed.add(request);
        return fault;
      };
      await bed.create(miniCluster());
      await poll(async () => (await bed.status())?.state).toBe('Starting');
      await poll(async () => (await bed.owned()).length).toBe(6);
      await bed.runPods();
      await bed.endJob(0);
      await poll(() => bed.status()).toMatchObject({ state: 'Succeeded', exitCode: 0 });
      expect(failed.size).toBeGreaterThan(8);
    },
  );

  it.each([
    ['ours', undefined],
    ['the Operator’s', ['jobid', 'maximumSize', 'selector', 'size', 'conditions']],
  ])(
    'tells each field that has no effect once for a generation, also over a restart, with the CRD that is %s',
    async (_, statusFields) => {
      await using bed = await startController();
      bed.server.schema.statusFields = statusFields;
      const told = async () => (await bed.story()).filter((line) => line.startsWith('FieldWarning'));
      await bed.create(
        miniCluster(
          { cleanup: true, flux: { arch: 'arm', container: { disable: true } } },
          { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
        ),
      );
      const arch = 'FieldWarning: spec.flux.arch is not used: nothing is downloaded when a pod starts';
      await poll(told).toEqual([arch]);
      await bed.stop();
      bed.start();
      await bed.runPods();
      await poll(() => holding(bed)).toContain('Ready');
      await settled(bed);
      expect(await told()).toEqual([arch]);
      await bed.patch(resources.miniClusters, 'mc', { spec: { flux: { arch: null, wrap: 'strace' } } });
      await poll(told).toEqual([arch, expect.stringMatching(/^FieldWarning: spec\.flux\.wrap is not used/)]);
    },
  );

  it.each([
    ['runs', {}, 'Starting', 'JobImmutable'],
    [
      'has ended',
      { conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }] },
      'Failed',
      'Applied',
    ],
  ])(
    'is not run beside, or again after, the Job that the Operator has made of it, which %s',
    async (_, status, state, upToDate) => {
      await using bed = await startController();
      await bed.stop();
      const { metadata } = await bed.create(miniCluster());
      const owner = {
        apiVersion: 'flux-framework.org/v1alpha2',
        kind: 'MiniCluster',
        name: 'mc',
        uid: metadata.uid ?? '',
        controller: true,
      };
      const spec = {
        completions: 2,
        parallelism: 2,
        template: { spec: { containers: [{ name: 'mc', image: 'old' }] } },
      };
      const job = {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'mc', namespace: 'hpc', ownerReferences: [owner] },
        spec,
      };
      const { uid } = (await bed.create(job)).metadata;
      await bed.patch(resources.jobs, 'mc', { status }, 'status');
      bed.warnings.splice(0);
      bed.start();
      await poll(async () => (await bed.status())?.state).toBe(state);
      await settled(bed);
      expect(await bed.find(resources.jobs)).toMatchObject({ metadata: { uid }, spec });
      expect((await bed.status())?.conditions.find(({ type }) => type === 'UpToDate')?.reason).toBe(upToDate);
      expect(bed.warnings).toEqual([]);
    },
  );

  it('loses what is removed from it: a file of the ConfigMap, a label and the deadline of the Job; other managers’ stay', async () => {
    await using bed = await startController();
    const [flux, beside] = [
      { image: 'a', command: 'true', commands: { init: 'true' }, runFlux: true },
      { name: 'beside', image: 'b', command: 'true', commands: { pre: 'true' } },
    ];
    await bed.create(
      miniCluster({ containers: [flux, beside], jobLabels: { team: 'a' }, deadlineSeconds: 60 }),
    );
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    const configMap = async () => (await bed.all(resources.configMaps))[0];
    const scripts = async () => Object.keys(((await configMap())?.data ?? {}) as object).sort();
    const { name = '' } = (await configMap())?.metadata ?? {};
    const before = await scripts();
    expect(before).toContain('sidecar-beside.sh');
    await bed.patch(resources.configMaps, name, { data: { theirs: 'x' } });
    await bed.patch(resources.jobs, 'mc', { metadata: { labels: { theirs: 'x' } } });
    await bed.patch(resources.miniClusters, 'mc', {
      spec: { containers: [flux], jobLabels: null, deadlineSeconds: null },
    });
    await poll(scripts).toEqual([...before.filter((file) => !file.includes('beside')), 'theirs']);
    await poll(async () => (await bed.find(resources.jobs))?.metadata.labels?.team).toBeUndefined();
    expect((await bed.find(resources.jobs))?.metadata.labels).toMatchObject({ theirs: 'x' });
    expect((await bed.find(resources.jobs))?.spec).not.toHaveProperty('activeDeadlineSeconds');
  });

  it('names an environment variable that is removed from it and that its Job keeps, and is quiet then', async () => {
    await using bed = await startController();
    const container = { image: 'a', command: 'true' };
    await bed.create(miniCluster({ containers: [{ ...container, environment: { DEBUG: '1', KEPT: '1' } }] }));
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await bed.patch(resources.miniClusters, 'mc', {
      spec: { containers: [{ ...container, environment: { KEPT: '1' } }] },
    });
    const upToDate = async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate');
    await poll(upToDate).toMatchObject({ status: 'False', reason: 'JobImmutable' });
    expect((await upToDate())?.message).toMatch(
      /changes: spec\.template\.spec\.containers\[mc\]\.env\[DEBUG\]\. /,
    );
    await settled(bed);
    const before = bed.calls.length;
    await bed.patch(resources.jobs, 'mc', { metadata: { labels: { unrelated: 'yes' } } });
    await settled(bed);
    expect(bed.calls.slice(before)).toEqual([]);
  });

  it('tells the exit code of the container that its Job has, whatever name the resource has for it by now', async () => {
    await using bed = await startController();
    await bed.create(miniCluster());
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await bed.patch(resources.miniClusters, 'mc', {
      spec: { containers: [{ name: 'other', image: 'a', command: 'true' }] },
    });
    await poll(
      async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate')?.reason,
    ).toBe('JobImmutable');
    await bed.endJob(3);
    await poll(() => bed.status()).toMatchObject({ state: 'Failed', exitCode: 3 });
  });

  it('keeps the claim of its state volume over another Job, and without the field; its deletion takes it along', async () => {
    await using bed = await startController();
    const container = { disable: true };
    await bed.create(
      miniCluster(
        { flux: { container, stateVolume: { size: '1Gi' } } },
        { annotations: { 'flux-pod/update-strategy': 'Recreate' } },
      ),
    );
    const claim = async () => (await bed.find(resources.claims, 'mc-state'))?.metadata;
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    const { uid, ownerReferences } = (await claim()) ?? {};
    expect(ownerReferences).toMatchObject([{ kind: 'MiniCluster', name: 'mc', controller: true }]);
    const { uid: jobUid } = (await bed.find(resources.jobs))?.metadata ?? {};
    await bed.patch(resources.miniClusters, 'mc', { spec: { flux: { stateVolume: { size: '2Gi' } } } });
    await poll(
      async () => (await bed.status())?.conditions.find(({ type }) => type === 'UpToDate')?.message,
    ).toMatch(/PersistentVolumeClaim does not take these changes: spec\.resources\.requests\.storage/);
    await bed.patch(resources.miniClusters, 'mc', {
      spec: { flux: { stateVolume: null }, containers: [{ image: 'b', command: 'true' }] },
    });
    await poll(async () => (await bed.find(resources.jobs))?.metadata.uid ?? jobUid).not.toBe(jobUid);
    await settled(bed);
    expect((await claim())?.uid).toBe(uid);
    await bed.remove(resources.miniClusters);
    await poll(claim).toBeUndefined();
  });

  it('renders a MiniCluster once, whatever its pods do, and another one of its name again', async () => {
    let renderings = 0;
    const options = renderingOptions({
      installer: 'i',
      seed: new Uint8Array(32),
      user: 'image',
      extras: new Set(),
    });
    await using bed = await startController({
      renderOptions: (object) => {
        renderings++;
        return options(object);
      },
    });
    await bed.create(miniCluster());
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await bed.runPods();
    await poll(async () => (await bed.status())?.state).toBe('Running');
    await settled(bed);
    // Once without a Job, once with it.
    const before = renderings;
    expect(before).toBe(2);
    for (const { metadata } of await bed.all(resources.pods))
      await bed.patch(resources.pods, metadata.name, { status: { conditions: [] } }, 'status');
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await bed.remove(resources.services);
    await poll(() => bed.find(resources.services)).toBeDefined();
    await settled(bed);
    expect(renderings).toBe(before);
    await bed.remove(resources.miniClusters);
    await settled(bed);
    await bed.create(miniCluster());
    await poll(async () => (await bed.status())?.state).toBe('Running');
    expect(renderings).toBeGreaterThan(before);
  });

  it.each([
    ['the seed is another one', (bed: ControllerBed) => bed.remove(resources.jobs)],
    [
      '`flux-pod render` has made it',
      (bed: ControllerBed) =>
        bed.patch(resources.secrets, 'mc-curve', { metadata: { ownerReferences: null } }),
    ],
  ])('goes on with the certificate that is there where %s', async (_, change) => {
    let seed = new Uint8Array(32).fill(1);
    await using bed = await startController({
      renderOptions: (object) =>
        renderingOptions({ installer: 'i', seed, user: 'image', extras: new Set() })(object),
    });
    await bed.create(miniCluster());
    await poll(async () => (await bed.status())?.state).toBe('Starting');
    await bed.stop();
    const secret = () => bed.find(resources.secrets, 'mc-curve');
    const before = await secret();
    seed = new Uint8Array(32).fill(2);
    await change(bed);
    bed.warnings.splice(0);
    bed.start();
    await poll(() => bed.find(resources.jobs)).toBeDefined();
    await poll(async () => (await secret())?.metadata.ownerReferences).toEqual(
      before?.metadata.ownerReferences,
    );
    await bed.runPods();
    await poll(async () => (await bed.status())?.state).toBe('Running');
    expect(await secret()).toMatchObject({ data: before?.data, metadata: { uid: before?.metadata.uid } });
    expect(bed.warnings).toEqual([]);
  });
});
