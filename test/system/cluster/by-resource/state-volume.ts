/** The queue on a volume of the node: it outlives suspension, and the claim goes with the MiniCluster. */
import { kubectl } from '../kubectl.ts';
import { until } from '../minicluster.ts';
import { onNode } from '../on-node.ts';
import { type Scenario, seconds } from '../scenario.ts';
import { applyReconciled, isTrue } from './resource.ts';

const storage = '64Mi';

export const stateVolume: Scenario = async (place, find) => {
  // Its files are written by a pod that the restricted Pod Security Standard forbids.
  const namespace = `${place.namespace}-state`;
  const path = `/tmp/${namespace}`;
  await kubectl(['create', 'namespace', namespace]);
  try {
    await onNode({ ...place, namespace }, path, 'chmod 777 /on-node');
    await kubectl(['apply', '-f', '-'], JSON.stringify(volumeOf(namespace, path)));
    const cluster = await applyReconciled(
      { ...place, namespace },
      {
        name: 'state',
        size: 2,
        program:
          'echo "queue: $(flux jobs -ano {name})"; flux submit --urgency=hold --job-name=kept true; echo up; sleep 1000',
        spec: {
          flux: { container: { disable: true }, stateVolume: { size: storage, storageClassName: '' } },
        },
      },
    );
    await cluster.leaderSays(/^up$/m);
    await cluster.patch({ spec: { suspend: true } });
    await cluster.becomes('suspended', (seen) => isTrue(seen, 'Suspended'));
    const gone = await until(60, async () => ((await cluster.pods()).length === 0 ? true : undefined));
    const { failed = 0 } = (await cluster.job()).status;
    find(
      'a MiniCluster with a state volume is suspended, and no pod fails',
      gone === true && failed === 0,
      `failed ${failed}`,
    );
    const from = performance.now();
    await cluster.patch({ spec: { suspend: false } });
    const log = await cluster.leaderSays(/^up$/m, 120);
    find(
      'resumed, it has the queue of before',
      /^queue: kept$/m.test(log),
      `${/^queue:.*/m.exec(log)} after ${seconds(from)}`,
    );
    await cluster.delete();
    const claims = await until(60, async () =>
      (await kubectl(['get', 'pvc', '-n', namespace, '-o', 'name'])) === '' ? true : undefined,
    );
    find('its claim goes with it', claims === true, '');
  } finally {
    await kubectl(['delete', 'namespace', namespace, '--timeout=120s']);
    await kubectl(['delete', 'pv', namespace, '--ignore-not-found', '--timeout=60s']);
  }
};

const volumeOf = (namespace: string, path: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: namespace },
  spec: {
    capacity: { storage },
    accessModes: ['ReadWriteMany'],
    hostPath: { path },
    claimRef: { namespace, name: 'state-state' },
  },
});
