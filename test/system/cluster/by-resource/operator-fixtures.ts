/**
 * Every MiniCluster of the Operator's examples, as it is written: the controller takes it as `flux-pod render` does. Most name images and volumes
 * that a cluster without the internet does not have, so that few of them run.
 */
import { execa } from 'execa';
import { parseAllDocuments, stringify } from 'yaml';
import { operatorExamples } from '../../../support/manifests/shared-fixtures.ts';
import { kubectl } from '../kubectl.ts';
import { until } from '../minicluster.ts';
import type { Scenario } from '../scenario.ts';
import type { SeenResource } from './resource.ts';

interface Written {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Volumes of the node are among them, which the restricted Pod Security Standard forbids. */
export const fixtures: Scenario = async (place, find) => {
  const namespace = `${place.namespace}-fixtures`;
  await kubectl(['create', 'namespace', namespace]);
  try {
    for (const [file, text] of operatorExamples())
      for (const document of parseAllDocuments(text)) {
        const written = document.toJS() as Written | null;
        if (written?.kind !== 'MiniCluster') continue;
        const own = { ...written, metadata: { ...written.metadata, namespace } };
        find(`${file} is taken as \`render\` takes it`, ...(await takenAsRendered(stringify(own), own)));
      }
  } finally {
    await kubectl(['delete', 'namespace', namespace, '--timeout=160s']);
  }
};

async function takenAsRendered(text: string, { metadata }: Written): Promise<[boolean, string]> {
  const rendering = await execa('dist/flux-pod', ['render', '-'], { input: text, reject: false });
  const isRendered = rendering.exitCode === 0;
  const { namespace = '' } = metadata;
  try {
    await kubectl(['apply', '-f', '-'], text);
  } catch (error) {
    // The schema says it as well.
    return [!isRendered, `refused: ${sentenceOf(error)}`];
  }
  const get = async (): Promise<SeenResource> =>
    JSON.parse(await kubectl(['get', 'minicluster', metadata.name, '-n', namespace, '-o', 'json']));
  // As far as the kubelet gets without an image, or the scheduler without a node.
  const says = await until(30, async () => {
    const { status } = await get();
    const ready = status?.conditions.find(({ type }) => type === 'Ready');
    const isOnItsWay = status?.state === 'Starting' && ready?.reason === 'WaitingForQuorum';
    return status && !isOnItsWay ? `${status.state}: ${ready?.message}` : undefined;
  });
  const { status } = await get();
  const holds = (type: string) => status?.conditions.find((each) => each.type === type)?.status === 'True';
  const hasJob =
    (await kubectl([
      'get',
      'job',
      '-n',
      namespace,
      '-l',
      `flux-pod/minicluster=${metadata.name}`,
      '-o',
      'name',
    ])) !== '';
  await kubectl(['delete', 'minicluster', metadata.name, '-n', namespace, '--timeout=120s']);
  const isTaken = holds('Valid') && holds('UpToDate') && hasJob;
  const seen = says ?? `${status?.state}: ${status?.conditions.map(({ message }) => message).join(' ')}`;
  return [isTaken === isRendered, seen.replaceAll('\n', ' ').slice(0, 160)];
}

/** Of the API server: the rest repeats the command. */
const sentenceOf = (error: unknown): string => String(error).split('\n').at(-1) ?? '';
