import { describe, expect, it } from 'vitest';
import { ExitCode, PodError } from '../../../../agent/errors.ts';
import { readMiniCluster } from '../../../../controller/render/minicluster/read-minicluster.ts';
import { testKeys } from '../../../support/agent/certificates.ts';
import { type GivenSpec, miniCluster } from '../../../support/manifests/miniclusters.ts';

function refusal(object: unknown): string {
  try {
    readMiniCluster(object);
  } catch (error) {
    if (!(error instanceof PodError)) throw error;
    expect(error.exitCode).toBe(ExitCode.configuration);
    return error.message;
  }
  throw new Error('it was not refused');
}

const stranger = `curve\n    public-key = "${testKeys.publicKey}"\n    secret-key = "${'0'.repeat(40)}"\n`;

describe('a MiniCluster is refused', () => {
  it.each<[string, GivenSpec, GivenSpec, string]>([
    ['an unknown field', { sise: 4 }, {}, 'spec.sise: a MiniCluster has no such field; did you mean size?'],
    [
      'an unknown field further down',
      {},
      { volumes: { v: { kind: 1 } } },
      'spec.containers[0].volumes.v.kind: a MiniCluster',
    ],
    ['a missing size', { size: undefined }, {}, 'spec.size: is missing: expected a whole number from 1'],
    ['no size', { size: 0 }, {}, 'spec.size: expected a whole number from 1 to 100000, not 0'],
    ['half a pod', { size: 1.5 }, {}, 'spec.size: expected a whole number from 1 to 100000, not 1.5'],
    ['a size in quotes', { size: '4' }, {}, 'spec.size: expected a whole number from 1 to 100000, not "4"'],
    [
      'a largest size below the size',
      { maxSize: 2 },
      {},
      'spec.maxSize: expected at least the size, 4, not 2',
    ],
    [
      'a smallest size above the size',
      { minSize: 5 },
      {},
      'spec.minSize: expected at most the size, 4, not 5',
    ],
    ...[{}, { minSize: 2 }, { maxSize: 8 }, { minSize: 4, maxSize: 4 }].map(
      (bounds): [string, GivenSpec, GivenSpec, string] => [
        `a size that follows the demand within ${JSON.stringify(bounds)}`,
        { autoscaling: {}, ...bounds },
        {},
        'spec.autoscaling: needs spec.minSize and spec.maxSize, and room between them',
      ],
    ),
    [
      'a size that follows the demand in a queue of Kueue',
      {
        autoscaling: {},
        minSize: 2,
        maxSize: 8,
        jobLabels: { 'kueue.x-k8s.io/queue-name': 'q' },
      },
      {},
      'spec.autoscaling: cannot be used in a queue of Kueue (spec.jobLabels["kueue.x-k8s.io/queue-name"])',
    ],
    [
      'a window shorter than reports take',
      { autoscaling: { stabilizationWindowSeconds: 5 }, minSize: 2, maxSize: 8 },
      {},
      'spec.autoscaling.stabilizationWindowSeconds: expected a whole number from 10 to 3600, not 5',
    ],
    [
      'no containers',
      { containers: undefined },
      {},
      'spec.containers: is missing: expected a list of containers',
    ],
    [
      'an empty list of containers',
      { containers: [] },
      {},
      'spec.containers: expected one container with runFlux: true, not 0',
    ],
    [
      'a number for a variable',
      {},
      { environment: { A: 1 } },
      'spec.containers[0].environment.A: expected text (numbers and true or false in quotes), not 1',
    ],
    [
      'a variable without a right name',
      {},
      { environment: { '1=': 'x' } },
      'spec.containers[0].environment["1="]: is no name for a variable',
    ],
    [
      'a quantity that is none',
      {},
      { resources: { limits: { cpu: 'two' } } },
      'spec.containers[0].resources.limits.cpu: expected a quantity such as 2, 500m or 4Gi, not "two"',
    ],
    [
      'a policy that is not for Jobs',
      { pod: { restartPolicy: 'Always' } },
      {},
      'spec.pod.restartPolicy: expected one of Never, OnFailure, not "Always"',
    ],
    [
      'a port of flux-pod',
      {},
      { ports: [8051] },
      "spec.containers[0].ports[0]: 8051 is flux-pod's own in every pod (http)",
    ],
    [
      'launcher and batch',
      {},
      { launcher: true, batch: true },
      'spec.containers[0].batch: cannot be with launcher: choose one',
    ],
    [
      'command and script',
      {},
      { commands: { script: 'x' } },
      'spec.containers[0].commands.script: cannot be with command: choose one',
    ],
    [
      'a volume of nothing',
      {},
      { volumes: { v: { path: '/d' } } },
      'spec.containers[0].volumes.v: names nothing to mount: write emptyDir: true for an empty volume, or one of',
    ],
    [
      'a volume of two things',
      {},
      { volumes: { v: { path: '/d', claimName: 'c', secretName: 's' } } },
      'names secretName and claimName: expected one of',
    ],
    [
      'a volume without a place',
      {},
      { volumes: { v: { claimName: 'c' } } },
      'spec.containers[0].volumes.v.path: is missing',
    ],
    [
      'a volume at a place of ours',
      {},
      { volumes: { v: { claimName: 'c', path: '/run/flux-pod/' } } },
      "/run/flux-pod is flux-pod's own in every pod",
    ],
    [
      'a volume without a right name',
      {},
      { volumes: { My_Data: { claimName: 'c', path: '/d' } } },
      'volumes.My_Data: "My_Data" is no name for a volume',
    ],
    [
      'two volumes at one place',
      {},
      { volumes: { a: { claimName: 'a', path: '/d' }, b: { claimName: 'b', path: '/d' } } },
      '/d is the path of another volume as well',
    ],
    [
      'a tree that Flux does not know',
      { flux: { topology: 'star' } },
      {},
      'spec.flux.topology: Cannot parse topology "star"',
    ],
    ['broken TOML', { flux: { brokerConfig: '[x' } }, {}, 'spec.flux.brokerConfig: Invalid TOML document'],
    [
      'a certificate that is none',
      { flux: { curveCert: 'hello' } },
      {},
      'spec.flux.curveCert: is no CURVE certificate: line 1 is neither',
    ],
    [
      'a certificate whose keys are no pair',
      { flux: { curveCert: stranger } },
      {},
      'its public key does not belong to its secret key',
    ],
    [
      'hosts and clusters',
      { flux: { bursting: { hostlist: 'mc-[0-3]', clusters: [{}] } } },
      {},
      'spec.flux.bursting.hostlist: cannot be with clusters',
    ],
    [
      'hosts without this cluster',
      { flux: { bursting: { hostlist: 'other-[0-3]' } } },
      {},
      "do not name this cluster's pod mc-0",
    ],
    [
      'an unclosed host list',
      { flux: { bursting: { hostlist: 'mc-[0-3' } } },
      {},
      'spec.flux.bursting.hostlist: ',
    ],
    ['a service without a name', { services: [{ image: 'x' }] }, {}, 'spec.services[0].name: is missing'],
    [
      'a headless name that is no Service’s',
      { network: { headlessName: '1pods' } },
      {},
      'spec.network.headlessName: expected a DNS label that begins with a letter',
    ],
    ['a port twice', {}, { ports: [80, 80] }, 'spec.containers[0].ports[1]: 80 is there twice'],
    [
      'a container by the name of ours',
      { containers: [{ runFlux: true }, { name: 'mc' }] },
      {},
      'spec.containers[1].name: "mc" is the name of a container that is added',
    ],
    [
      'the name of a container that is added',
      { flux: { container: { name: 'mc' } } },
      {},
      'metadata.name: "mc" is the name of a container that is added: give the container that runs Flux a name',
    ],
    [
      'a volume by the name of the view’s',
      {},
      { volumes: { 'flux-view': { claimName: 'c', path: '/d' } } },
      'spec.containers[0].volumes.flux-view: "flux-view" is the name of a volume',
    ],
    [
      'a Service by the name of the cluster’s',
      { containers: [{ runFlux: true }, { name: 'mc-http', ports: [80] }] },
      {},
      'spec.containers[1].name: "mc-http" is the name of another Service',
    ],
    [
      'a Service by the name of the API’s',
      {
        containers: [
          { runFlux: true, environment: { FLUX_POD_API: 'on' } },
          { name: 'mc-api', ports: [80] },
        ],
      },
      {},
      'spec.containers[1].name: "mc-api" is the name of another Service',
    ],
  ])('with %s', (_, spec, container, expected) => {
    expect(refusal(miniCluster(spec, container))).toContain(expected);
  });

  it('with another version', () => {
    expect(refusal({ ...miniCluster(), apiVersion: 'flux-framework.org/v1alpha1' })).toContain(
      'apiVersion: expected "flux-framework.org/v1alpha2", not "flux-framework.org/v1alpha1"',
    );
  });

  it.each([
    ['a name too long for its pods', 'm'.repeat(55), {}, 'has 55 characters: expected at most 54'],
    ['a name too long for its largest index', 'm'.repeat(54), { maxSize: 100_000 }, undefined],
    ['a name that begins with a digit', '1mc', {}, 'begins with a letter'],
    ['capitals', 'Mc', {}, 'expected a DNS label'],
    ['a dot', 'm.c', {}, 'expected a DNS label'],
    ['no name', undefined, {}, "metadata.name: is missing: expected the cluster's name"],
  ])('with %s', (_, name, spec, expected) => {
    const object = miniCluster(spec, {}, { name });
    if (expected === undefined) expect(readMiniCluster(object).metadata.name).toBe(name);
    else expect(refusal(object)).toContain(expected);
  });

  it('with every problem at once', () => {
    const message = refusal(miniCluster({ sise: 1, size: undefined, tasks: -1 }, { image: 1 }));
    expect(message.split('\n')).toHaveLength(5);
    expect(message).toMatch(/^Cannot render the MiniCluster, 4 problems:\n/);
  });

  it('never with the certificate in the message', () => {
    expect(refusal(miniCluster({ flux: { curveCert: stranger } }))).not.toContain(testKeys.publicKey);
  });
});

it('a field that is null is not there, as for the API server', () => {
  const { spec } = readMiniCluster(miniCluster({ flux: { container: null }, pod: null }, { command: null }));
  expect(spec).toEqual({ size: 4, flux: {}, containers: [{ image: 'ubuntu:noble' }] });
});
