import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { kubectl, type SeenJob, type SeenPod } from './kubectl.ts';

export interface Place {
  readonly namespace: string;
  /** An image that has Flux. */
  readonly image: string;
  readonly installer: string;
  /** Images that this cluster has in the place of others. */
  readonly images: Readonly<Record<string, string>>;
  /** examples/tests of the Flux Operator's repository. */
  readonly operatorExamples: string | undefined;
  /** MiniClusters are applied as they are, for a controller in the cluster; else what `flux-pod render` makes of them. */
  readonly byResource: boolean;
}

/** What differs from four pods that run `hostname` and then a program given by the scenario. */
export interface Wanted {
  readonly name: string;
  readonly program: string;
  readonly size?: number;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** The containers beside Flux. */
  readonly beside?: readonly Readonly<Record<string, unknown>>[];
  /** Of the MiniCluster, and so of all its objects. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RunningMiniCluster {
  readonly name: string;
  /** performance.now() when the manifests were handed over. */
  readonly appliedAt: number;
  readonly job: () => Promise<SeenJob>;
  readonly pods: () => Promise<SeenPod[]>;
  /** What the pod's program and agent wrote; empty while there is nothing. */
  readonly logs: (pod: string) => Promise<string>;
  /** The pod of an index that is not on its way out. */
  readonly podOf: (index: number) => Promise<SeenPod | undefined>;
  /** Waits for the leader of the moment to say something; returns its log. */
  readonly leaderSays: (pattern: RegExp, seconds?: number) => Promise<string>;
  /** Waits for a condition of the Job; returns its reason, or undefined when the time is up or the Job has ended otherwise. */
  readonly jobCondition: (type: string, seconds?: number) => Promise<string | undefined>;
  /** Deletes everything and waits until the pods are gone. */
  readonly delete: () => Promise<void>;
}

/** Applies a MiniCluster of an image that has Flux. */
export const applyMiniCluster = (
  place: Place,
  { name, program, size = 4, spec = {}, environment = {}, beside = [], labels = {} }: Wanted,
): Promise<RunningMiniCluster> =>
  applyResource(place, {
    apiVersion: 'flux-framework.org/v1alpha2',
    kind: 'MiniCluster',
    metadata: { name, namespace: place.namespace, labels },
    spec: {
      size,
      flux: { container: { disable: true } },
      ...spec,
      containers: [
        {
          image: place.image,
          launcher: true,
          command: `sh -c '${program}'`,
          environment,
          ...(beside.length > 0 && { runFlux: true }),
        },
        ...beside,
      ],
    },
  });

/** A MiniCluster as it is written: `spec` is for `flux-pod render` to read. */
export interface MiniClusterResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Applies the MiniCluster, or what `flux-pod render` with `options` makes of it. */
export async function applyResource(
  { installer, byResource }: Pick<Place, 'installer' | 'byResource'>,
  resource: MiniClusterResource,
  ...options: readonly string[]
): Promise<RunningMiniCluster> {
  const { name, namespace } = resource.metadata;
  const input = JSON.stringify(resource);
  const render = ['render', '-', '--image-installer', installer, ...options];
  const manifests = byResource ? input : (await execa('dist/flux-pod', render, { input })).stdout;
  const appliedAt = performance.now();
  await kubectl(['apply', '-f', '-'], manifests);

  const get = async (kind: string, ...args: string[]) =>
    JSON.parse(await kubectl(['get', kind, '-n', namespace, '-o', 'json', ...args]));
  const pods = async (): Promise<SeenPod[]> => (await get('pods', '-l', `job-name=${name}`)).items;
  /** The newest of an index: one that has failed stays beside what takes its place. */
  const podOf = async (index: number) =>
    (await pods())
      .filter(
        ({ metadata }) =>
          metadata.labels['batch.kubernetes.io/job-completion-index'] === String(index) &&
          metadata.deletionTimestamp === undefined,
      )
      .sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp))
      .at(-1);
  const logs = (pod: string) =>
    kubectl(['logs', '-n', namespace, pod, '-c', name, '--tail=-1']).catch(() => '');
  // A controller makes it a little later.
  const job = async (): Promise<SeenJob> =>
    (await get('job', '--field-selector', `metadata.name=${name}`)).items[0] ?? { status: {} };
  return {
    name,
    appliedAt,
    pods,
    podOf,
    logs,
    job,
    leaderSays: async (pattern, seconds = 60) => {
      const log = await until(seconds, async () => {
        const leader = await podOf(0);
        const said = leader ? await logs(leader.metadata.name) : '';
        return pattern.test(said) ? said : undefined;
      });
      if (log !== undefined) return log;
      const leader = await podOf(0);
      const tail = leader ? (await logs(leader.metadata.name)).split('\n').slice(-3).join(' | ') : 'no pod';
      throw new Error(`the leader did not say ${pattern} within ${seconds} s; its last words: ${tail}`);
    },
    jobCondition: async (type, seconds = 90) => {
      const ended = await until(seconds, async () => {
        const holds = (await job()).status.conditions?.filter(({ status }) => status === 'True') ?? [];
        return holds.find((each) => each.type === type) ?? holds.find((each) => ends.includes(each.type));
      });
      return ended?.type === type ? (ended.reason ?? '') : undefined;
    },
    delete: async () => {
      await kubectl(
        ['delete', '--ignore-not-found', '--wait=true', '--cascade=foreground', '--timeout=120s', '-f', '-'],
        manifests,
      );
      await until(90, async () => ((await pods()).length === 0 ? true : undefined));
    },
  };
}

/** Conditions of a Job that is over. */
const ends = ['Complete', 'Failed'];

/** Asks again until there is an answer or the time is up. */
export async function until<Answer>(
  seconds: number,
  ask: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) return undefined;
    await delay(300);
  }
}
