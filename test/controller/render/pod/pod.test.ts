import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { restrictedBreaches } from '../../../../controller/render/pod/pod-security-standard.ts';
import {
  environmentOf,
  fluxContainerOf,
  type GivenSpec,
  jobOf,
  manifest,
  podOf,
  render,
  warningsOf,
} from '../../../support/manifests/miniclusters.ts';

it('the container that runs Flux keeps the name that the MiniCluster gives it, and the policy of the Job is about it', () => {
  const rendering = render({}, { name: 'solver' });
  expect(fluxContainerOf(rendering).name).toBe('solver');
  const { podFailurePolicy } = jobOf(rendering).spec ?? {};
  expect(podFailurePolicy?.rules.flatMap(({ onExitCodes }) => onExitCodes?.containerName ?? [])).toEqual([
    'solver',
  ]);
});

describe('the Job', () => {
  it('is indexed, and index 0 decides', () => {
    expect(jobOf(render({ backoffLimit: 3, deadlineSeconds: 60 })).spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 4,
      parallelism: 4,
      backoffLimitPerIndex: 3,
      maxFailedIndexes: 0,
      activeDeadlineSeconds: 60,
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
      podReplacementPolicy: 'Failed',
    });
  });

  it('takes no policy with OnFailure, which the API server would refuse', () => {
    expect(podOf(render()).restartPolicy).toBe('Never');
    expect(jobOf(render({ pod: { restartPolicy: 'OnFailure' } })).spec).not.toHaveProperty(
      'podFailurePolicy',
    );
  });

  it('has a policy that the API server takes', () => {
    for (const spec of [{}, { backoffLimit: 2 }]) {
      for (const { onExitCodes } of jobOf(render(spec)).spec?.podFailurePolicy?.rules ?? []) {
        const { values = [1] } = onExitCodes ?? {};
        expect([...new Set(values)].sort((a, b) => a - b)).toEqual(values);
        expect(values).not.toContain(0);
        expect(values.length).toBeLessThanOrEqual(255);
      }
    }
  });

  it('counts by index only where tries of the program are asked for: all its pods fail when the program does', () => {
    const limits = (spec: GivenSpec) => {
      const { backoffLimit, backoffLimitPerIndex } = jobOf(render(spec)).spec ?? {};
      return { backoffLimit, backoffLimitPerIndex };
    };
    // By index, a namespace would not go while such a Job runs.
    expect(limits({})).toEqual({ backoffLimit: 24 });
    expect(limits({ backoffLimit: 2 })).toEqual({ backoffLimitPerIndex: 2 });
    const pod = { restartPolicy: 'OnFailure' };
    expect(limits({ pod, backoffLimit: 2 })).toEqual({ backoffLimit: 8 });
    expect(limits({ pod, backoffLimit: 2 ** 31 - 1 })).toEqual({ backoffLimit: 2 ** 31 - 1 });
  });

  it('goes when it has ended where cleanup is asked for', () => {
    expect(jobOf(render({ cleanup: true })).spec?.ttlSecondsAfterFinished).toBe(0);
    expect(jobOf(render()).spec).not.toHaveProperty('ttlSecondsAfterFinished');
  });
});

describe('the container that runs Flux', () => {
  it('runs what the init container has installed, with probes by HTTP', () => {
    const fluxContainer = fluxContainerOf(render());
    expect(fluxContainer.command).toEqual(['/mnt/flux-pod/flux-pod', 'run', '--', 'hostname']);
    expect(podOf(render()).initContainers?.[0]).toMatchObject({
      image: 'flux-pod-installer:1',
      command: ['flux-pod', 'install', '/mnt/flux-pod'],
    });
    expect(
      [fluxContainer.startupProbe, fluxContainer.livenessProbe, fluxContainer.readinessProbe].map(
        (probe) => probe?.httpGet,
      ),
    ).toEqual(['/startupz', '/livez', '/readyz'].map((path) => ({ path, port: 'http' })));
    expect(fluxContainer.ports).toContainEqual({ name: 'http', containerPort: 8051, protocol: 'TCP' });
  });

  it.each([
    ['nothing is said', {}, { requests: { cpu: '100m' } }],
    [
      'only memory is',
      { limits: { memory: '1Gi' } },
      { requests: { cpu: '100m' }, limits: { memory: '1Gi' } },
    ],
    ['a CPU limit is', { limits: { cpu: '2' } }, { limits: { cpu: '2' } }],
    ['a CPU request is', { requests: { cpu: '2' } }, { requests: { cpu: '2' } }],
  ])('has a CPU request, so that its probes are answered, where %s', (_, resources, expected) => {
    const fluxContainer = fluxContainerOf(render({}, { resources }));
    expect(fluxContainer.resources).toEqual(expected);
    // What troubleshooting says of `context deadline exceeded`.
    for (const probe of [
      fluxContainer.startupProbe,
      fluxContainer.livenessProbe,
      fluxContainer.readinessProbe,
    ])
      expect(probe?.timeoutSeconds).toBe(5);
  });

  it('runs what is in flux-pod’s image, mounted rather than copied, where that is asked for', () => {
    const rendering = render({}, {}, { extras: new Set(['image-volume']) });
    const { volumes, initContainers = [] } = podOf(rendering);
    expect(volumes).toContainEqual({
      name: 'flux-pod',
      image: { reference: 'flux-pod-installer:1', pullPolicy: 'IfNotPresent' },
    });
    expect(initContainers.map(({ name }) => name)).toEqual(['flux-view']);
    const { command, env, volumeMounts } = fluxContainerOf(rendering);
    const mount = { name: 'flux-pod', mountPath: '/mnt/flux-pod', readOnly: true };
    expect(volumeMounts).toContainEqual(mount);
    // Where the image has it.
    const inImage = /RUN mkdir -p \S+ \/installer(\/opt)/.exec(readFileSync('Dockerfile', 'utf8'))?.[1];
    const directory = `${mount.mountPath}${inImage}/flux-pod`;
    expect(command?.[0]).toBe(`${directory}/flux-pod`);
    expect(env).toContainEqual({ name: 'FLUX_EXEC_PATH', value: directory });
    expect(restrictedBreaches(podOf(rendering))).toEqual([]);
  });

  it('is brought by the view’s init container, with the view, where an image has both', () => {
    const viewImage = 'flux-pod-view:1';
    const rendering = render({}, {}, { viewImage });
    const { initContainers = [] } = podOf(rendering);
    expect(initContainers.map(({ name, image }) => [name, image])).toEqual([['flux-view', viewImage]]);
    expect(initContainers[0]?.volumeMounts).toContainEqual({ name: 'flux-pod', mountPath: '/mnt/flux-pod' });
    expect(fluxContainerOf(rendering).command?.[0]).toBe('/mnt/flux-pod/flux-pod');
    expect(restrictedBreaches(podOf(rendering))).toEqual([]);
  });

  it.each<[string, GivenSpec, Parameters<typeof render>[2], string[]]>([
    ['names its own view', { flux: { container: { image: 'v:1' } } }, {}, ['flux-pod-installer:1', 'v:1']],
    ['has no view', { flux: { container: { disable: true } } }, {}, ['flux-pod-installer:1']],
    ['has flux-pod in its image', {}, { installer: undefined }, ['flux-pod-view:1']],
    ['has it mounted', {}, { extras: new Set(['image-volume']) }, ['flux-pod-view:1']],
  ])('is not brought by it where a MiniCluster %s', (_, spec, options, images) => {
    const rendering = render(spec, {}, { ...options, viewImage: 'flux-pod-view:1' });
    expect(podOf(rendering).initContainers?.map(({ image }) => image)).toEqual(images);
    const scripts = rendering.manifests.filter(({ kind }) => kind === 'ConfigMap');
    expect(JSON.stringify(scripts)).not.toContain('flux-pod install');
  });

  it('runs the image’s own flux-pod where nothing is installed', () => {
    const rendering = render({ flux: { container: { disable: true } } }, {}, { installer: undefined });
    expect(fluxContainerOf(rendering).command?.[0]).toBe('flux-pod');
    expect(podOf(rendering)).not.toHaveProperty('initContainers');
  });

  it.each<[string, GivenSpec, GivenSpec, Record<string, string>]>([
    ['its size', {}, {}, { FLUX_POD_SIZE: '4', FLUX_POD_DIR: '/run/flux-pod' }],
    [
      'how far it shrinks and grows',
      { minSize: 2, maxSize: 9 },
      {},
      { FLUX_POD_MIN_SIZE: '2', FLUX_POD_MAX_SIZE: '9' },
    ],
    ['the tree', { flux: { topology: 'binomial' } }, {}, { FLUX_POD_TOPO: 'binomial' }],
    [
      'options of the broker',
      { flux: { connectTimeout: '9s' }, logging: { zeromq: true } },
      {},
      { FLUX_POD_BROKER_OPTIONS: '-Stbon.connect_timeout=9s -Stbon.zmqdebug=1' },
    ],
    ['a level of the log', { flux: { logLevel: 3 } }, {}, { FLUX_POD_LOG_LEVEL: 'error' }],
    ['silence', { logging: { quiet: true } }, {}, { FLUX_POD_LOG_LEVEL: 'error' }],
    ['more talk', { logging: { debug: true } }, {}, { FLUX_POD_LOG_LEVEL: 'debug' }],
    [
      'where a view elsewhere has flux',
      { flux: { container: { mountPath: '/f/' } } },
      {},
      { FLUX_POD_FLUX: '/f/view' },
    ],
    ['the environment of the view', { flux: { environment: { A: '$(B)' } } }, {}, { A: '$$(B)' }],
    [
      'its own environment, which wins',
      {},
      { environment: { HOME: '/root', FLUX_POD_SIZE: '9' } },
      { HOME: '/root', FLUX_POD_SIZE: '9' },
    ],
    [
      'the hosts of a cluster that bursts',
      { maxSize: 5, flux: { bursting: { clusters: [{ size: 2 }, { name: 'x' }] } } },
      {},
      { FLUX_POD_HOSTS: 'mc-[0-4],burst-0-[0-1],x-[0-3]' },
    ],
    [
      'the leader of the cluster that it is a burst of',
      {
        flux: {
          bursting: {
            leadBroker: { address: '1.2.3.4', name: 'main', size: 2 },
            clusters: [{ name: 'mc', size: 4 }],
          },
        },
      },
      {},
      { FLUX_POD_HOSTS: 'main-[0-1],mc-[0-3]', FLUX_POD_LEADER: '1.2.3.4:8050' },
    ],
  ])('is told %s', (_, spec, container, expected) => {
    expect(environmentOf(fluxContainerOf(render(spec, container)))).toMatchObject(expected);
  });

  it('has its secrets, ports, lifecycle and resources', () => {
    const fluxContainer = fluxContainerOf(
      render(
        {},
        {
          ports: [80],
          pullAlways: true,
          secrets: { TOKEN: { name: 'n', key: 'k' } },
          lifeCycle: { postStartExec: 'sync', preStopExec: 'sleep 1' },
          resources: { limits: { cpu: 2 } },
        },
      ),
    );
    expect(fluxContainer.env).toContainEqual({
      name: 'TOKEN',
      valueFrom: { secretKeyRef: { name: 'n', key: 'k' } },
    });
    expect(fluxContainer).toMatchObject({
      imagePullPolicy: 'Always',
      lifecycle: {
        postStart: { exec: { command: ['sync'] } },
        preStop: { exec: { command: ['/bin/sh', '-c', 'sleep 1'] } },
      },
      resources: { limits: { cpu: '2' } },
    });
    expect(fluxContainer.ports?.map(({ containerPort }) => containerPort)).toEqual([8050, 8051, 80]);
  });
});

describe('the init container that installs flux-pod', () => {
  const resourcesWith = (resources?: GivenSpec) =>
    podOf(render({}, resources && { resources })).initContainers?.[0]?.resources;

  it('is not slowed down by a limit', () => {
    expect(resourcesWith()).toEqual({
      requests: { cpu: '100m', memory: '128Mi' },
      limits: { memory: '128Mi' },
    });
  });

  it('asks for no more CPU than the program does, and keeps a Guaranteed pod Guaranteed', () => {
    expect(resourcesWith({ limits: { cpu: 2, memory: '4Gi' } })).toEqual({
      requests: { cpu: '2', memory: '128Mi' },
      limits: { cpu: '2', memory: '128Mi' },
    });
    expect(resourcesWith({ limits: { cpu: 2 }, requests: { cpu: '500m' } })).toMatchObject({
      requests: { cpu: '500m' },
      limits: { cpu: '2' },
    });
  });
});

describe('volumes', () => {
  it.each<[string, GivenSpec, GivenSpec, GivenSpec]>([
    [
      'a claim',
      { claimName: 'c', path: '/d', readOnly: true },
      { persistentVolumeClaim: { claimName: 'c' } },
      { mountPath: '/d', readOnly: true },
    ],
    [
      'a directory of the node',
      { hostPath: '/h', path: '/d' },
      { hostPath: { path: '/h', type: 'Directory' } },
      { mountPath: '/d' },
    ],
    [
      'a ConfigMap',
      { configMapName: 'c', items: { k: 'f' }, path: '/d' },
      { configMap: { name: 'c', items: [{ key: 'k', path: 'f' }] } },
      { mountPath: '/d' },
    ],
    ['a Secret', { secretName: 's', path: '/d' }, { secret: { secretName: 's' } }, { mountPath: '/d' }],
    [
      'shared memory',
      { emptyDir: true, emptyDirMedium: 'memory', emptyDirSizeLimit: '1Gi' },
      { emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
      { mountPath: '/dev/shm' },
    ],
    ['an empty directory elsewhere', { emptyDir: true, path: '/d' }, { emptyDir: {} }, { mountPath: '/d' }],
    [
      'a CSI driver',
      { csiDriver: 'd', csiDriverAttributes: { a: 'b' }, path: '/d' },
      { csi: { driver: 'd', volumeAttributes: { a: 'b' } } },
      { mountPath: '/d' },
    ],
  ])('may be %s', (_, volume, source, mount) => {
    const rendering = render({}, { volumes: { v: volume } });
    expect(podOf(rendering).volumes).toContainEqual({ name: 'v', ...source });
    expect(fluxContainerOf(rendering).volumeMounts).toContainEqual({ name: 'v', ...mount });
  });

  it('may take the place of one of ours, with a warning', () => {
    const rendering = render({}, { volumes: { mine: { claimName: 'c', path: '/opt/software' } } });
    expect(warningsOf(rendering).join()).toContain(
      'spec.containers[0].volumes.mine.path takes /opt/software',
    );
  });

  it('hold the certificate for the group of the pod, from a new Secret or an existing one', () => {
    const curve = (rendering: ReturnType<typeof render>) =>
      podOf(rendering).volumes?.find(({ name }) => name === 'flux-pod-curve')?.secret;
    expect(curve(render())).toMatchObject({ secretName: 'mc-curve', defaultMode: 0o440 });
    expect(manifest(render(), 'Secret')).toMatchObject({ immutable: true, metadata: { name: 'mc-curve' } });
    const existing = render({}, {}, { secret: 'mine' });
    expect(curve(existing)).toMatchObject({ secretName: 'mine' });
    expect(existing.manifests.map(({ kind }) => kind)).not.toContain('Secret');
    expect(curve(render({ size: 1 }))).toBeUndefined();
    // For the controller's link alone.
    const controlled = render({ size: 1 }, {}, { controllerNamespace: 'flux-pod' });
    expect(curve(controlled)).toMatchObject({ secretName: 'mc-curve' });
    expect(manifest(controlled, 'Secret').metadata?.name).toBe('mc-curve');
  });
});

describe('security', () => {
  it('mounts no service account’s token, unless the MiniCluster asks for one', () => {
    expect(podOf(render()).automountServiceAccountToken).toBe(false);
    const asked = render({ pod: { automountServiceAccountToken: true } });
    expect(podOf(asked).automountServiceAccountToken).toBe(true);
  });

  it('is the restricted standard’s, as a user who is not root', () => {
    expect(podOf(render()).securityContext).toMatchObject({
      runAsUser: 1000,
      runAsNonRoot: true,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(fluxContainerOf(render()).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('leaves the user to the image where that is asked for', () => {
    const pod = podOf(render({}, {}, { user: 'image' })).securityContext;
    expect(pod).not.toHaveProperty('runAsUser');
    expect(pod).not.toHaveProperty('runAsNonRoot');
    expect(pod?.fsGroup).toBe(1000);
  });

  it('is root’s where that is asked for, and the kubelet is not told otherwise', () => {
    const rendering = render({}, {}, { user: { uid: 0, gid: 0 } });
    expect(podOf(rendering).securityContext).toMatchObject({ runAsUser: 0 });
    expect(podOf(rendering).securityContext).not.toHaveProperty('runAsNonRoot');
    expect(warningsOf(rendering).join()).toContain('securityContext.runAsUser (0)');
  });

  it.each<[string, GivenSpec, GivenSpec, string]>([
    ['privileged', {}, { securityContext: { privileged: true } }, 'container mc: privileged (true)'],
    ['root', { pod: { securityContext: { runAsUser: 0 } } }, {}, 'securityContext.runAsUser (0)'],
    [
      'more capabilities',
      {},
      { securityContext: { capabilities: { add: ['SYS_PTRACE'] } } },
      'capabilities.add (SYS_PTRACE)',
    ],
    ['the node’s processes', { pod: { hostPID: true } }, {}, 'hostPID (true)'],
    ['the node’s files', {}, { volumes: { v: { hostPath: '/h', path: '/d' } } }, 'volumes["v"] (hostPath)'],
    [
      'no seccomp',
      { pod: { securityContext: { seccompProfile: { type: 'Unconfined' } } } },
      {},
      'seccompProfile (Unconfined)',
    ],
  ])('may be less, with a warning: %s', (_, spec, container, why) => {
    const warnings = warningsOf(render(spec, container)).join('\n');
    expect(warnings).toContain('is not admitted where the restricted Pod Security Standard is enforced');
    expect(warnings).toContain(why);
  });

  it('of a privileged container is what the API server takes', () => {
    const context = fluxContainerOf(render({}, { securityContext: { privileged: true } })).securityContext;
    expect(context).toEqual({ privileged: true, runAsUser: 0, runAsNonRoot: false });
    const admin = fluxContainerOf(
      render({}, { securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }),
    ).securityContext;
    expect(admin).toEqual({ capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } });
  });

  it('tells whose commands do not run as the image’s own user', () => {
    expect(warningsOf(render({}, { commands: { pre: 'dnf install -y git' } })).join()).toContain(
      'spec.containers[0].commands.pre runs as user 1000',
    );
    const sidecar = { image: 'nginx', name: 'web', noWrapEntrypoint: true };
    const containers = [{ image: 'a', runFlux: true, command: 'x' }, sidecar];
    expect(warningsOf(render({ containers })).join()).toMatch(
      /spec\.containers\[1\] runs as user 1000.* Flux starts only after a container beside it runs/,
    );
  });

  it('is left to the images with --user image, as the Operator leaves it, and a warning says so', () => {
    const containers = [
      { image: 'a', runFlux: true, command: 'x' },
      { image: 'nginx', name: 'web', noWrapEntrypoint: true, securityContext: { runAsUser: 0 } },
    ];
    const rendering = render({ containers }, {}, { user: 'image' });
    const web = podOf(rendering).initContainers?.find(({ name }) => name === 'web');
    // nginx as root changes the owner of its directories: CAP_CHOWN.
    expect(web?.securityContext).toEqual({ runAsUser: 0 });
    expect(fluxContainerOf(rendering).securityContext).toEqual({});
    expect(warningsOf(rendering)).toEqual([
      expect.stringMatching(
        /restricted Pod Security Standard is enforced: --user image leaves user and capabilities/,
      ),
    ]);
  });
});

describe('where pods run', () => {
  it('is near each other and on nodes of their own, if possible', () => {
    expect(Object.keys(podOf(render()).affinity ?? {})).toEqual(['podAffinity', 'podAntiAffinity']);
    expect(podOf(render({ network: { disableAffinity: true } }))).not.toHaveProperty('affinity');
  });

  it('is what the MiniCluster says', () => {
    const pod = {
      nodeSelector: { a: 'b' },
      tolerations: [{ key: 'k', operator: 'Exists' }],
      schedulerName: 's',
      runtimeClassName: 'r',
    };
    expect(podOf(render({ pod }))).toMatchObject(pod);
    const affinity = podOf(
      render({ network: { disableAffinity: true }, pod: { nodeAffinity: { zone: ['a'] } } }),
    ).affinity;
    expect(affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms).toEqual(
      [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
    );
  });

  it('has the registries of all images', () => {
    const containers = [
      { image: 'a', command: 'x', runFlux: true, imagePullSecret: 'one' },
      { image: 'b', name: 'b', imagePullSecret: 'two' },
      { image: 'c', name: 'c', imagePullSecret: 'one' },
    ];
    const pod = podOf(render({ containers, flux: { container: { imagePullSecret: 'view' } } }));
    expect(pod.imagePullSecrets?.map(({ name }) => name)).toEqual(['one', 'two', 'view']);
  });
});
