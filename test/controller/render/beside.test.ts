import { describe, expect, it } from 'vitest';
import { runDirectoryAt } from '../../../agent/broker/run-directory/run-directory.ts';
import { manifests, usualValues } from '../../../controller/install/manifests.ts';
import {
  fluxContainerOf,
  type GivenSpec,
  manifest,
  podOf,
  render,
  warningsOf,
} from '../../support/manifests/miniclusters.ts';

const withExtras = (...extras: ('http-service' | 'network-policy' | 'disruption-budget')[]) => ({
  extras: new Set(extras),
});
const beside = (container: GivenSpec) => ({
  containers: [
    { image: 'ubuntu:noble', command: 'hostname', runFlux: true },
    { image: 'nginx', name: 'beside', ...container },
  ],
});

describe('the headless Service', () => {
  it('publishes pods before they are ready, and has named ports', () => {
    expect(manifest(render(), 'Service').spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { 'flux-pod/minicluster': 'mc' },
      ports: [
        { name: 'overlay', port: 8050 },
        { name: 'http', port: 8051 },
      ],
    });
    expect(podOf(render({ network: { headlessName: 'pods' } })).subdomain).toBe('pods');
  });

  it('publishes only the leader where that is asked for and nobody needs another', () => {
    const selector = (spec: GivenSpec) => manifest(render(spec), 'Service').spec?.selector;
    expect(selector({ flux: { minimalService: true } })).toHaveProperty(
      ['batch.kubernetes.io/job-completion-index'],
      '0',
    );
    const tree = { flux: { minimalService: true, topology: 'kary:2' } };
    expect(selector(tree)).toEqual({ 'flux-pod/minicluster': 'mc' });
    expect(warningsOf(render(tree)).join()).toContain(
      'spec.flux.minimalService is not used: the tree has more levels',
    );
  });
});

describe('a container beside Flux', () => {
  it('is a native sidecar whose command waits for the instance', () => {
    const rendering = render(beside({ command: 'flux jobs -a' }));
    const sidecar = podOf(rendering).initContainers?.at(-1);
    expect(sidecar).toMatchObject({
      name: 'beside',
      restartPolicy: 'Always',
      command: ['/bin/bash', '/etc/flux-pod/scripts/sidecar-beside.sh'],
    });
    const script = manifest(rendering, 'ConfigMap').data?.['sidecar-beside.sh'];
    expect(script).toContain('until [ -S /run/flux-pod/run/flux/local ]');
    expect(script).toContain('flux jobs -a');
  });

  it('has to read what the agent lets others mount, with the broker’s socket where the agent has it', () => {
    const pod = podOf(render(beside({})));
    const { mountable, socket } = runDirectoryAt('/run/flux-pod');
    const sidecar = pod.initContainers?.at(-1);
    expect(sidecar?.env).toContainEqual({ name: 'fluxsocket', value: `local://${socket}` });
    const mount = { name: 'flux-pod-socket', mountPath: mountable };
    expect(sidecar?.volumeMounts).toContainEqual({ ...mount, readOnly: true });
    expect(fluxContainerOf(render(beside({}))).volumeMounts).toContainEqual(mount);
  });

  it('runs its image’s own entrypoint with noWrapEntrypoint', () => {
    const rendering = render(beside({ noWrapEntrypoint: true, command: 'x' }));
    expect(podOf(rendering).initContainers?.at(-1)).not.toHaveProperty('command');
    expect(warningsOf(rendering).join()).toContain('spec.containers[1].command is not used');
  });

  it('with ports is a Service of its name', () => {
    expect(manifest(render(beside({ ports: [80] })), 'Service', 'beside').spec).toMatchObject({
      selector: { 'flux-pod/minicluster': 'mc', 'flux-pod/component': 'broker' },
      ports: [{ name: 'port-80', port: 80, targetPort: 80 }],
    });
  });
});

it('services are a pod of their own, under the name that the Operator gives them', () => {
  const rendering = render({
    services: [{ name: 'mongo', image: 'mongo', ports: [27_017], environment: { A: 'b' } }],
  });
  const { spec } = manifest(rendering, 'Deployment');
  expect(spec?.template.spec).toMatchObject({
    hostname: 'mc-services',
    subdomain: 'mc',
    containers: [{ name: 'mongo', env: [{ name: 'A', value: 'b' }] }],
  });
  expect(spec?.template.metadata?.labels).toMatchObject(spec?.selector.matchLabels ?? { never: '' });
});

describe('a container beside Flux sees of the pod', () => {
  const mountsOf = (container: GivenSpec, spec: GivenSpec = {}) => {
    const rendering = render({ ...beside(container), ...spec });
    return {
      rendering,
      mounts: podOf(rendering).initContainers?.find(({ name }) => name === 'beside')?.volumeMounts ?? [],
    };
  };

  it.each([{ command: 'flux jobs' }, { noWrapEntrypoint: true }])(
    'the directory of the broker’s socket to read, and neither certificate nor broker.toml: %j',
    (container) => {
      const { rendering, mounts } = mountsOf(container, {
        flux: { brokerConfig: '[archive]\nperiod = "1m"' },
      });
      expect(mounts).toContainEqual({
        name: 'flux-pod-socket',
        mountPath: '/run/flux-pod/run',
        readOnly: true,
      });
      const names = mounts.map(({ name }) => name);
      for (const secret of ['flux-pod-run', 'flux-pod-curve', 'flux-pod-hooks', 'flux-pod-munge'])
        expect(names).not.toContain(secret);
      const scripts = mounts.filter(({ name }) => name === 'flux-pod-scripts');
      expect(scripts.map(({ subPath }) => subPath)).toEqual(
        'command' in container ? ['sidecar-beside.sh'] : [],
      );
      // The agent makes the socket where they look for it.
      expect(fluxContainerOf(rendering).volumeMounts).toEqual(
        expect.arrayContaining([
          { name: 'flux-pod-run', mountPath: '/run/flux-pod' },
          { name: 'flux-pod-socket', mountPath: '/run/flux-pod/run' },
        ]),
      );
    },
  );

  it('nothing that it could change and the container of Flux executes', () => {
    const { rendering, mounts } = mountsOf({ command: 'x' });
    const homes = [mounts, fluxContainerOf(rendering).volumeMounts ?? []].map((all) =>
      all.find(({ name }) => name === 'flux-pod-home'),
    );
    expect(homes.map((mount) => mount?.subPath)).toEqual(['beside', 'mc']);
    expect(mounts.filter(({ readOnly, name }) => !readOnly && name !== 'flux-pod-home')).toEqual([]);
  });
});

describe('what there is beside the pods', () => {
  it('is, in the order to apply', () => {
    expect(render().manifests.map(({ kind, metadata }) => `${kind} ${metadata?.name}`)).toEqual([
      'Secret mc-curve',
      'ConfigMap mc-scripts',
      'Service mc',
      'NetworkPolicy mc',
      'PodDisruptionBudget mc-leader',
      'PodDisruptionBudget mc-followers',
      'Job mc',
    ]);
    const bare = render({ flux: { container: { disable: true } } }, {}, { secret: 's', extras: new Set() });
    expect(bare.manifests.map(({ kind }) => kind)).toEqual(['Service', 'Job']);
  });

  it('a NetworkPolicy lets in the cluster, and others only where the MiniCluster has something for them', () => {
    const ingress = (spec: GivenSpec, container: GivenSpec = {}, ...more: 'http-service'[]) =>
      manifest(render(spec, container, withExtras('network-policy', ...more)), 'NetworkPolicy').spec?.ingress;
    const members = { from: [{ podSelector: { matchLabels: { 'flux-pod/minicluster': 'mc' } } }] };
    expect(ingress({})).toEqual([members]);
    expect(ingress({}, { ports: [80] })).toEqual([members, { ports: [{ port: 80, protocol: 'TCP' }] }]);
    expect(ingress({}, {}, 'http-service')?.[1]).toEqual({
      from: [{ podSelector: {} }],
      ports: [{ port: 8051, protocol: 'TCP' }],
    });
    expect(ingress({ flux: { bursting: { clusters: [{ size: 1 }] } } })?.[1]).toEqual({
      ports: [{ port: 8050, protocol: 'TCP' }],
    });
  });

  it('a NetworkPolicy lets in the pods of the controller in its own namespace to 8051, and no other of a namespace', () => {
    const options = { ...withExtras('network-policy'), controllerNamespace: 'flux-pod-system' };
    const { ingress } = manifest(render({}, {}, options), 'NetworkPolicy').spec ?? {};
    expect(ingress?.slice(1)).toEqual([
      {
        from: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'flux-pod-system' } },
            podSelector: { matchLabels: { 'app.kubernetes.io/name': 'flux-pod-controller' } },
          },
        ],
        ports: [{ port: 8051, protocol: 'TCP' }],
      },
    ]);
    const installed = manifests({ ...usualValues, image: 'x' }) as {
      kind: string;
      metadata: { namespace: string };
    }[];
    expect(installed.find(({ kind }) => kind === 'Deployment')).toMatchObject({
      metadata: { namespace: 'flux-pod-system' },
      spec: { template: { metadata: { labels: { 'app.kubernetes.io/name': 'flux-pod-controller' } } } },
    });
  });

  it.each<[string, GivenSpec, number | undefined]>([
    ['where it is not enabled', {}, undefined],
    ['where it is off', { FLUX_POD_API: 'off' }, undefined],
    ['at its usual port', { FLUX_POD_API: 'on' }, 8052],
    ['at another port', { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: '0.0.0.0:9000' }, 9000],
    ['at another port, with IPv6', { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: '[::]:9000' }, 9000],
    ['for the pod alone', { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: '127.0.0.1:8052' }, undefined],
    ['at any port', { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: '0.0.0.0:0' }, undefined],
    ['nowhere', { FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: '' }, undefined],
  ])('a Service for the REST API leads to the leader: %s', (_, environment, port) => {
    const { manifests } = render({}, { environment });
    const specs = manifests
      .filter(({ kind, metadata }) => kind === 'Service' && metadata?.name === 'mc-api')
      .map((service) => 'spec' in service && service.spec);
    const ports = [{ name: 'api', port, targetPort: port, protocol: 'TCP' }];
    const selector = {
      'flux-pod/minicluster': 'mc',
      'flux-pod/component': 'broker',
      'batch.kubernetes.io/job-completion-index': '0',
    };
    expect(specs).toEqual(port === undefined ? [] : [{ selector, ports }]);
  });

  it('budgets keep the leader and the quorum', () => {
    const budgets = (spec: GivenSpec) =>
      render(spec, {}, withExtras('disruption-budget')).manifests.flatMap((each) =>
        each.kind === 'PodDisruptionBudget' ? [`${each.metadata?.name} ${each.spec?.minAvailable}`] : [],
      );
    expect(budgets({})).toEqual(['mc-leader 1', 'mc-followers 3']);
    expect(budgets({ minSize: 2 })).toEqual(['mc-leader 1', 'mc-followers 1']);
    expect(budgets({ size: 1 })).toEqual(['mc-leader 1']);
  });

  it('a Service for flux-pod’s HTTP leads to the leader', () => {
    expect(manifest(render({}, {}, withExtras('http-service')), 'Service', 'mc-http').spec).toMatchObject({
      selector: { 'batch.kubernetes.io/job-completion-index': '0' },
      ports: [{ name: 'http', port: 8051 }],
    });
  });

  it('broker.toml is what the MiniCluster adds, without what flux-pod owns', () => {
    const brokerConfig =
      '[bootstrap]\ndefault_port = 1\nx = 1\n[tbon]\ntopo = "flat"\n[archive]\nperiod = "1m"\n';
    const rendering = render({ flux: { brokerConfig, scheduler: { queuePolicy: 'easy' } } });
    expect(manifest(rendering, 'ConfigMap').data?.['broker.toml']).toBe(
      '[archive]\nperiod = "1m"\n\n[sched-fluxion-qmanager]\nqueue-policy = "easy"\n',
    );
    expect(warningsOf(rendering).map((warning) => /brokerConfig (\S+)/.exec(warning)?.[1])).toEqual([
      'bootstrap.default_port',
      'tbon.topo',
      'bootstrap',
    ]);
  });
});
