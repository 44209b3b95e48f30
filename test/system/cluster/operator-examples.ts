/**
 * The end-to-end tests of the Flux Operator (examples/tests of its repository) that state an output, and every `commands` field, with a Flux
 * view: the image of the program has no Flux. What holds is what its script/check-output.sh asks for: the first pod's output is equal, and
 * every container has ended with 0.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { defaultViewImage } from '../../../controller/render/pod/flux-view.ts';
import { kubectl } from './kubectl.ts';
import {
  applyResource,
  type MiniClusterResource,
  type Place,
  type RunningMiniCluster,
} from './minicluster.ts';
import { onNode } from './on-node.ts';
import { exitCodesAre, type Find, lastWords, type Scenario, seconds, stateOf } from './scenario.ts';

const programImage = 'ubuntu:noble';

interface Example {
  readonly name: string;
  /** Files that it lists in a volume, made on the node first. */
  readonly onNode?: string;
  /** Objects in files beside it. */
  readonly objects?: readonly string[];
  readonly options?: readonly string[];
}

const examples: readonly Example[] = [
  { name: 'hello-world' },
  { name: 'post' },
  { name: 'minimal-service' },
  { name: 'volumes', onNode: '/data' },
  { name: 'existing-volumes', onNode: '/tmp/data', objects: ['pv.yaml', 'pvc.yaml'] },
  // An image that begins as root, as nginx does, needs it (docs/from-the-operator.md).
  { name: 'nginx-sidecar-service', options: ['--user', 'image'] },
  { name: 'pokemon' },
];

/** The examples need volumes of the node, which the restricted Pod Security Standard forbids. */
const inNamespaceOfItsOwn =
  (what: (place: Place, find: Find) => Promise<void>): Scenario =>
  async (place, find) => {
    const namespace = `${place.namespace}-operator`;
    await kubectl(['create', 'namespace', namespace]);
    try {
      await what({ ...place, namespace }, find);
    } finally {
      await kubectl(['delete', 'namespace', namespace, '--timeout=120s']);
    }
  };

export const operatorExamples: Scenario = inNamespaceOfItsOwn(async (place, find) => {
  if (!place.operatorExamples) {
    console.warn(
      "SKIPPED: the Operator's examples. Set OPERATOR_EXAMPLES to examples/tests of flux-framework/flux-operator.",
    );
    return;
  }
  for (const example of examples) {
    if (place.byResource && example.options) {
      console.warn(
        `SKIPPED: the Operator's ${example.name}, for which the controller needs ${example.options.join(' ')}.`,
      );
      continue;
    }
    const at = join(place.operatorExamples, example.name);
    const expected = readFileSync(join(at, 'test.out.correct'), 'utf8').replaceAll('\r\n', '\n').trimEnd();
    // What pre-run.sh does with `minikube cp`.
    if (example.onNode) await onNode(place, example.onNode, 'touch /on-node/pancakes.txt');
    for (const file of example.objects ?? [])
      await kubectl(['apply', '-n', place.namespace, '-f', join(at, file)]);
    const resource = parse(readFileSync(join(at, 'minicluster.yaml'), 'utf8')) as MiniClusterResource;
    const cluster = await applyResource(place, withImages(resource, place), ...(example.options ?? []));
    const log = await completed(cluster, `the Operator's ${example.name}`, find);
    const unexpected = log.split('\n').filter((line) => !expected.split('\n').includes(line));
    find('its output is equal', log === expected, log === expected ? '' : unexpected.join(' | ') || log);
    await cluster.delete();
    for (const file of (example.objects ?? []).toReversed())
      await kubectl([
        'delete',
        '-n',
        place.namespace,
        '--ignore-not-found',
        '--timeout=60s',
        '-f',
        join(at, file),
      ]);
  }
});

const asks = 'flux resource list -no {nnodes}; flux module list | grep -o sched-flux; flux run -N2 hostname';

const fields: readonly (readonly [name: string, container: Readonly<Record<string, unknown>>])[] = [
  ...['init', 'pre', 'brokerPre', 'workerPre', 'post'].map(
    (field) => [field, { commands: { [field]: 'true' } }] as const,
  ),
  ['pre that sources flux-view.sh', { commands: { pre: '. /mnt/flux/flux-view.sh' } }],
  ['script', { command: undefined, commands: { script: `#!/bin/bash\n${asks}\n` } }],
  ['batch', { launcher: false, batch: true, batchRaw: true, command: asks }],
  ['logs', { logs: '/tmp/out' }],
];

export const viewCommands: Scenario = inNamespaceOfItsOwn(async (place, find) => {
  for (const [field, container] of fields) {
    const resource = {
      apiVersion: 'flux-framework.org/v1alpha2',
      kind: 'MiniCluster',
      metadata: { name: 'view', namespace: place.namespace },
      spec: {
        size: 2,
        containers: [{ image: programImage, launcher: true, command: `sh -c '${asks}'`, ...container }],
      },
    };
    const cluster = await applyResource(place, withImages(resource, place));
    const log = await completed(cluster, `a view with commands.${field}`, find);
    const hosts = log.split('\n').filter((line) => /^view-\d$/.test(line));
    if (!container.batch) find('its commands work', hosts.length === 2, hosts.join(' ') || lastWords(log));
    await cluster.delete();
  }
});

/** The pod's whole output, once the Job has ended. */
async function completed(cluster: RunningMiniCluster, what: string, find: Find): Promise<string> {
  const reason = await cluster.jobCondition('Complete', 120);
  const took = `in ${seconds(cluster.appliedAt)}`;
  find(`${what} completes`, reason !== undefined, reason === undefined ? await stateOf(cluster) : took);
  find('every container ends with 0', ...(await exitCodesAre(cluster, 0)));
  return (await cluster.logs((await cluster.podOf(0))?.metadata.name ?? '')).trimEnd();
}

/** The MiniCluster in the scenario's namespace, with images that this cluster has. */
function withImages(
  { spec, ...rest }: MiniClusterResource,
  { images, namespace }: Place,
): MiniClusterResource {
  const known = (image: string): string => images[image] ?? image;
  const { containers, flux = {} } = spec as {
    containers: { image: string }[];
    flux?: { container?: { image?: string } };
  };
  return {
    ...rest,
    metadata: { ...rest.metadata, namespace },
    spec: {
      ...spec,
      flux: {
        ...flux,
        container: { ...flux.container, image: known(flux.container?.image ?? defaultViewImage) },
      },
      containers: containers.map((container) => ({ ...container, image: known(container.image) })),
    },
  };
}
