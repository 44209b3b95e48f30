/** MiniClusters in a queue of Kueue, where it is installed: the label kueue.x-k8s.io/queue-name is all that it takes. */
import { kubectl } from '../kubectl.ts';
import { until } from '../minicluster.ts';
import { type Scenario, seconds } from '../scenario.ts';
import { applyReconciled, isTrue } from './resource.ts';

const apiVersion = 'kueue.x-k8s.io/v1beta1';
const queue = 'flux-pod-test';

export const kueue: Scenario = async (place, find) => {
  const served = await kubectl(['get', 'crd', 'clusterqueues.kueue.x-k8s.io', '-o', 'name']).catch(() => '');
  if (served === '') {
    console.warn('SKIPPED: MiniClusters in a queue of Kueue. Install Kueue in the cluster.');
    return;
  }
  const objects = queueOf(place.namespace);
  await kubectl(['apply', '-f', '-'], JSON.stringify(objects));
  try {
    const labels = { 'kueue.x-k8s.io/queue-name': queue };
    const first = await applyReconciled(place, {
      name: 'first',
      program: 'echo started; sleep 1000',
      labels,
    });
    await first.becomes('ready', (seen) => isTrue(seen, 'Ready'));
    find('a MiniCluster that the quota has room for runs', true, seconds(first.appliedAt));
    const second = await applyReconciled(place, {
      name: 'second',
      size: 2,
      program: 'flux run -N2 hostname',
      labels,
    });
    await second.becomes('suspended', (seen) => isTrue(seen, 'Suspended'));
    find(
      'the next one waits: Suspended, without pods',
      (await second.pods()).length === 0,
      seconds(second.appliedAt),
    );

    const hold = performance.now();
    await setStopPolicy('HoldAndDrain');
    await first.becomes('suspended', (seen) => isTrue(seen, 'Suspended'));
    const gone = await until(60, async () => ((await first.pods()).length === 0 ? true : undefined));
    const { failed = 0 } = (await first.job()).status;
    find(
      'what Kueue suspends stops, and does not count as failed',
      gone === true && failed === 0,
      `${seconds(hold)}; failed ${failed}`,
    );
    const resumed = performance.now();
    await setStopPolicy('None');
    await first.becomes('ready again', (seen) => isTrue(seen, 'Ready'), 120);
    find('what Kueue resumes runs again', true, seconds(resumed));
    await first.delete();
    const from = performance.now();
    await second.becomes('succeeded', (seen) => isTrue(seen, 'Succeeded') && seen.exitCode === 0, 120);
    find('when the first one is gone, the next one runs', true, seconds(from));
    await second.delete();
  } finally {
    await kubectl(['delete', '--ignore-not-found', '--timeout=60s', '-f', '-'], JSON.stringify(objects));
  }
};

const setStopPolicy = (stopPolicy: 'None' | 'HoldAndDrain'): Promise<string> =>
  kubectl(['patch', 'clusterqueue', queue, '--type=merge', '-p', JSON.stringify({ spec: { stopPolicy } })]);

/** Room for four pods of 100m. Their init container requests memory. */
const queueOf = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    { apiVersion, kind: 'ResourceFlavor', metadata: { name: queue } },
    {
      apiVersion,
      kind: 'ClusterQueue',
      metadata: { name: queue },
      spec: {
        namespaceSelector: {},
        resourceGroups: [
          {
            coveredResources: ['cpu', 'memory'],
            flavors: [
              {
                name: queue,
                resources: [
                  { name: 'cpu', nominalQuota: '400m' },
                  { name: 'memory', nominalQuota: '8Gi' },
                ],
              },
            ],
          },
        ],
      },
    },
    { apiVersion, kind: 'LocalQueue', metadata: { name: queue, namespace }, spec: { clusterQueue: queue } },
  ],
});
