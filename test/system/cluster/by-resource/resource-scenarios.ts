/** What only a controller does: `npm run test:cluster -- --by-resource`. */
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { kubectl } from '../kubectl.ts';
import { type Place, until } from '../minicluster.ts';
import { type Scenario, seconds } from '../scenario.ts';
import { autoscalingScenarios } from './autoscaling.ts';
import { crashController, leadingController, leaseHolder, stopController } from './controller.ts';
import { kueue } from './kueue.ts';
import { fixtures } from './operator-fixtures.ts';
import { applyReconciled, isTrue, type ReconciledMiniCluster } from './resource.ts';
import { stateVolume } from './state-volume.ts';

const staysUp = 'echo "started $(date +%s.%N)"; sleep 1000';

const status: Scenario = async (place, find) => {
  const good = await applyReconciled(place, {
    name: 'good',
    // As long as the kubelet takes to find it ready.
    program: 'flux run -N4 hostname; sleep 8',
  });
  await kubectl([
    'wait',
    '--for=condition=Succeeded',
    'minicluster/good',
    '-n',
    place.namespace,
    '--timeout=120s',
  ]);
  const took = seconds(good.appliedAt);
  const printed = await kubectl(['get', 'mc', 'good', '-n', place.namespace]);
  const [header = '', row = ''] = printed.split('\n');
  find('kubectl wait --for=condition=Succeeded returns', true, took);
  find(
    'kubectl get mc prints SIZE ONLINE STATUS EXIT AGE',
    /NAME +SIZE +ONLINE +STATUS +EXIT +AGE/.test(header) && /good +4 +0 +Succeeded +0/.test(row),
    row,
  );
  const reasons = await eventsOf(place, 'good');
  const life = ['Created', 'Ready', 'Succeeded'];
  const places = life.map((reason) => reasons.indexOf(reason));
  find(
    'its Events are in the order of its life',
    places.every((at, index) => at > (places[index - 1] ?? -1)),
    reasons.join(' '),
  );
  const { status: ended } = await good.resource();
  find('its jobs are counted', ended?.jobs?.inactive === 1, JSON.stringify(ended?.jobs ?? 'no jobs'));
  await good.delete();
  const bad = await applyReconciled(place, { name: 'bad', program: 'exit 3' });
  await bad.becomes('failed', (seen) => isTrue(seen, 'Failed'));
  const { status: failed } = await bad.resource();
  find(
    'a failing program: Failed with its exit code',
    failed?.exitCode === 3,
    `${failed?.exitCode}: ${failed?.message}`,
  );
  await bad.delete();
};

async function eventsOf({ namespace }: Place, name: string): Promise<string[]> {
  const selector = `involvedObject.kind=MiniCluster,involvedObject.name=${name}`;
  const { items } = JSON.parse(
    await kubectl([
      'get',
      'events.events.k8s.io',
      '-n',
      namespace,
      '-o',
      'json',
      `--field-selector=regarding.kind=MiniCluster,regarding.name=${name}`,
    ]).catch(() => kubectl(['get', 'events', '-n', namespace, '-o', 'json', `--field-selector=${selector}`])),
  );
  const time = ({ eventTime }: { eventTime?: string }) => eventTime ?? '';
  return items
    .toSorted((one: { eventTime?: string }, other: { eventTime?: string }) =>
      time(one).localeCompare(time(other)),
    )
    .map(({ reason }: { reason: string }) => reason);
}

const repairMs = 2000;

/** Every object of a MiniCluster that runs is deleted, and then edited. */
const drift: Scenario = async (place, find) => {
  const cluster = await applyReconciled(place, {
    name: 'drift',
    size: 2,
    program: staysUp,
    spec: { services: [{ image: place.image, name: 'beside', command: 'sleep 1000' }] },
  });
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  const { namespace } = place;
  const get = async (title: string) =>
    JSON.parse(
      (await kubectl(['get', title, '-n', namespace, '--ignore-not-found', '-o', 'json'])) || 'null',
    );
  const titles = (await cluster.owned()).filter((title) => !title.startsWith('Job/'));
  const content = ({ spec, data }: { spec?: object; data?: object }) =>
    JSON.stringify({ spec: { ...spec, clusterIP: 0, clusterIPs: 0 }, data });
  for (const title of titles) {
    const before = await get(title);
    await kubectl(['delete', title, '-n', namespace, '--wait=false']);
    const from = performance.now();
    const back = await until(30, async () => {
      const now = await get(title);
      return now && now.metadata.uid !== before.metadata.uid && !now.metadata.deletionTimestamp
        ? now
        : undefined;
    });
    const isQuick = performance.now() - from < repairMs;
    const same = back !== undefined && content(back) === content(before);
    find(`${title} is deleted: within 2 s it is there again, the same`, same && isQuick, seconds(from));
  }
  for (const title of titles) {
    const before = await get(title);
    const owners = [{ op: 'remove', path: '/metadata/labels' }];
    await kubectl(['patch', title, '-n', namespace, '--type=json', '-p', JSON.stringify(owners)]);
    const from = performance.now();
    const mended = await until(30, async () => {
      const now = await get(title);
      return JSON.stringify(now.metadata.labels) === JSON.stringify(before.metadata.labels)
        ? true
        : undefined;
    });
    const isQuick = performance.now() - from < repairMs;
    find(
      `${title} loses its labels: within 2 s they are repaired`,
      mended === true && isQuick,
      seconds(from),
    );
  }
  const { status: seen } = await cluster.resource();
  find(
    'the instance ran on',
    seen !== undefined && isTrue(seen, 'Ready') && (await cluster.podOf(0)) !== undefined,
    seen?.state ?? '',
  );
  await cluster.delete();
};

const suspended: Scenario = async (place, find) => {
  const cluster = await applyReconciled(place, { name: 'paused', size: 2, program: staysUp });
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  const from = performance.now();
  await cluster.patch({ spec: { suspend: true } });
  await cluster.becomes('suspended', (seen) => isTrue(seen, 'Suspended'));
  const gone = await until(60, async () => ((await cluster.pods()).length === 0 ? true : undefined));
  const { status: job } = await cluster.job();
  find(
    'spec.suspend: all pods end, and none counts as failed',
    gone === true && !job.failed,
    `${seconds(from)}; failed ${job.failed ?? 0}`,
  );
  const again = performance.now();
  await cluster.patch({ spec: { suspend: false } });
  await cluster.becomes('ready again', (seen) => isTrue(seen, 'Ready'), 120);
  find(
    'and resumed: the program runs again',
    /^started /m.test(await cluster.leaderSays(/^started /m)),
    seconds(again),
  );
  await cluster.delete();
};

const scaled: Scenario = async (place, find) => {
  const cluster = await applyReconciled(place, {
    name: 'scaled',
    size: 2,
    program: staysUp,
    spec: { minSize: 2, maxSize: 4 },
  });
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  const scale = async (size: number) => {
    const from = performance.now();
    await kubectl(['scale', 'minicluster/scaled', '-n', place.namespace, `--replicas=${size}`]);
    await cluster.becomes(`of ${size} brokers`, (seen) => seen.size === size && seen.brokersOnline === size);
    return [true, seconds(from)] as const;
  };
  find('kubectl scale to 4: all brokers are online', ...(await scale(4)));
  find('kubectl scale to 2', ...(await scale(2)));
  const autoscaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'scaled', namespace: place.namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'flux-framework.org/v1alpha2', kind: 'MiniCluster', name: 'scaled' },
      // Below its minimum it needs no metric to decide.
      minReplicas: 3,
      maxReplicas: 4,
    },
  };
  const from = performance.now();
  await kubectl(['apply', '-f', '-'], JSON.stringify(autoscaler));
  await cluster.becomes('of 3 brokers', (seen) => seen.size === 3 && seen.brokersOnline === 3);
  find('a HorizontalPodAutoscaler scales it to its minimum of 3', true, seconds(from));
  await kubectl(['delete', 'hpa', 'scaled', '-n', place.namespace]);
  await kubectl(['scale', 'minicluster/scaled', '-n', place.namespace, '--replicas=9']);
  await cluster.becomes('refusing', ({ conditions }) =>
    conditions.some(({ reason }) => reason === 'SizeOutOfBounds'),
  );
  const { status: seen } = await cluster.resource();
  const refusal = seen?.conditions.find(({ reason }) => reason === 'SizeOutOfBounds')?.message ?? '';
  find('kubectl scale to 9: refused with the bounds', seen?.size === 3 && seen.brokersOnline === 3, refusal);
  await cluster.delete();
};

/** What a Job does not take is named; asked to, the controller replaces the Job, once. */
const edited: Scenario = async (place, find) => {
  const cluster = await applyReconciled(place, {
    name: 'edited',
    size: 2,
    program: staysUp,
    environment: { DEBUG: '1', KEPT: '1' },
  });
  await cluster.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  const uidOfJob = async () =>
    kubectl([
      'get',
      'job',
      'edited',
      '-n',
      place.namespace,
      '--ignore-not-found',
      '-o',
      'jsonpath={.metadata.uid}',
    ]);
  const uid = await uidOfJob();
  const { status: fresh } = await cluster.resource();
  find('a Job that runs is up to date', fresh !== undefined && isTrue(fresh, 'UpToDate'), '');
  const resource = JSON.parse(await kubectl(['get', 'mc', 'edited', '-n', place.namespace, '-o', 'json']));
  const [container] = resource.spec.containers;
  await cluster.patch({ spec: { containers: [{ ...container, environment: { KEPT: '1' } }] } });
  await cluster.becomes('outdated', (seen) => !isTrue(seen, 'UpToDate'));
  const message = async () =>
    (await cluster.resource()).status?.conditions.find(({ type }) => type === 'UpToDate')?.message ?? '';
  const named = await message();
  find('a variable that is removed is named', /env\[DEBUG\]/.test(named), named);
  const kept = await stays(async () => (await uidOfJob()) === uid);
  find('and the Job is left alone', kept, '');
  const from = performance.now();
  await cluster.patch({ metadata: { annotations: { 'flux-pod/update-strategy': 'Recreate' } } });
  const replaced = await until(90, async () => {
    const now = await uidOfJob();
    return now !== '' && now !== uid ? now : undefined;
  });
  await cluster.becomes('ready again', (seen) => isTrue(seen, 'Ready') && isTrue(seen, 'UpToDate'));
  find('with update-strategy: Recreate it is replaced', replaced !== undefined, seconds(from));
  find('once', await stays(async () => (await uidOfJob()) === replaced), '');
  await cluster.delete();
};

/** Every way of deleting ends, while a job runs. */
const deleted: Scenario = async (place, find) => {
  for (const how of ['background', 'foreground', 'orphan']) {
    const cluster = await applyReconciled(place, {
      name: `deleted-${how}`,
      size: 2,
      program: `echo "started "; flux run -N2 sleep 1000`,
    });
    await cluster.leaderSays(/^started /m);
    const from = performance.now();
    await kubectl([
      'delete',
      'minicluster',
      cluster.name,
      '-n',
      place.namespace,
      `--cascade=${how}`,
      '--timeout=90s',
    ]);
    const left = async () => [
      ...(await cluster.owned()),
      ...(await cluster.pods()).map(({ metadata }) => `Pod/${metadata.name}`),
    ];
    if (how === 'orphan') {
      find(
        '--cascade=orphan leaves the Job running',
        (await left()).includes(`Job/${cluster.name}`) && (await cluster.pods()).length === 2,
        seconds(from),
      );
      for (const title of await cluster.owned()) await kubectl(['delete', title, '-n', place.namespace]);
    }
    const gone = await until(90, async () => ((await left()).length === 0 ? true : undefined));
    find(
      `--cascade=${how}: nothing is left and nothing comes back`,
      gone === true && (await stays(async () => (await left()).length === 0)),
      gone ? seconds(from) : (await left()).join(' '),
    );
  }
};

/** For three seconds. */
async function stays(holds: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + 3000;
  while (performance.now() < end) {
    if (!(await holds())) return false;
    await delay(300);
  }
  return true;
}

/** The controller crashes all the while. */
const controllerCrashes: Scenario = async (place, find) => {
  const kills = 20;
  let killed = 0;
  let isOver = false;
  const killing = async () => {
    while (killed < kills && !isOver) {
      await leadingController();
      await delay(Math.random() * 8000);
      await crashController();
      killed++;
    }
  };
  const rounds: string[] = [];
  const working = async () => {
    for (let round = 0; killed < kills && !isOver; round++) {
      await roundOfFour(place, round);
      rounds.push(`${killed}`);
    }
  };
  try {
    await Promise.all([killing(), working()]);
  } finally {
    isOver = true;
  }
  find(
    `the controller crashes ${kills} times: every MiniCluster ends as it would have`,
    true,
    `crashes by the end of each round of four: ${rounds.join(', ')}`,
  );
};

/** A program that succeeds, one that fails, one that is resized, one that is suspended and resumed. */
async function roundOfFour(place: Place, round: number): Promise<void> {
  const named = (name: string) => `${name}-${round}`;
  const [succeeds, fails, grows, pauses] = await Promise.all([
    applyReconciled(place, { name: named('succeeds'), size: 2, program: 'flux run -N2 hostname' }),
    applyReconciled(place, { name: named('fails'), size: 1, program: 'exit 3' }),
    applyReconciled(place, {
      name: named('grows'),
      size: 1,
      program: staysUp,
      spec: { minSize: 1, maxSize: 2 },
    }),
    applyReconciled(place, { name: named('pauses'), size: 1, program: staysUp }),
  ]);
  await Promise.all([
    succeeds.becomes('succeeded', (seen) => isTrue(seen, 'Succeeded') && seen.exitCode === 0, 300),
    fails.becomes('failed', (seen) => isTrue(seen, 'Failed') && seen.exitCode === 3, 300),
    (async () => {
      await grows.becomes('ready', (seen) => isTrue(seen, 'Ready'), 300);
      await grows.patch({ spec: { size: 2 } });
      await grows.becomes('grown', (seen) => seen.brokersOnline === 2, 300);
    })(),
    (async () => {
      await pauses.becomes('ready', (seen) => isTrue(seen, 'Ready'), 300);
      await pauses.patch({ spec: { suspend: true } });
      await pauses.becomes('suspended', (seen) => isTrue(seen, 'Suspended'), 300);
      await pauses.patch({ spec: { suspend: false } });
      await pauses.becomes('resumed', (seen) => isTrue(seen, 'Ready'), 300);
    })(),
  ]);
  await Promise.all([succeeds, fails, grows, pauses].map((cluster) => cluster.delete()));
}

/** The other replica takes over. */
const failover: Scenario = async (place, find) => {
  /** Milliseconds from its loss until another replica has the Lease; infinite if none has within a minute. */
  const takeOver = async (lose: (leader: string) => Promise<unknown>) => {
    const leader = await leadingController();
    const before = await leaseHolder();
    const from = performance.now();
    const taken = until(60, async () => {
      const now = await leaseHolder();
      return now !== '' && now !== before ? performance.now() - from : undefined;
    });
    return (await Promise.all([taken, lose(leader)]))[0] ?? Number.POSITIVE_INFINITY;
  };
  const stopMs = await takeOver(stopController);
  find(
    'the leading replica is stopped: the other one takes over at once',
    stopMs < 5000,
    `${(stopMs / 1000).toFixed(1)} s`,
  );
  const program = { name: 'after', size: 1, program: 'true' };
  let cluster: ReconciledMiniCluster | undefined;
  const crashMs = await takeOver(async (leader) => {
    await crashController(leader);
    cluster = await applyReconciled(place, program);
  });
  find(
    'it crashes: the other one takes over within 15 s',
    crashMs < 15_000,
    `${(crashMs / 1000).toFixed(1)} s`,
  );
  await cluster?.becomes('succeeded', (seen) => isTrue(seen, 'Succeeded'));
  find('and a MiniCluster that came meanwhile is reconciled', true, seconds(cluster?.appliedAt ?? 0));
  await cluster?.delete();
};

/** It answers nobody for a minute, while a program runs and ends. */
const apiServerAway: Scenario = async (place, find) => {
  const { HOLD_API_SERVER: hold } = process.env;
  if (!hold) {
    console.warn(
      'SKIPPED: the API server is not held up. Set HOLD_API_SERVER to a shell command that does so for a minute.',
    );
    return;
  }
  const [ends, stays] = await Promise.all([
    applyReconciled(place, { name: 'ends', size: 2, program: 'sleep 20; exit 3' }),
    applyReconciled(place, { name: 'stays', size: 2, program: staysUp }),
  ]);
  await stays.becomes('ready', (seen) => isTrue(seen, 'Ready'));
  await execa('sh', ['-c', hold], { stdin: 'ignore' });
  const from = performance.now();
  await ends.becomes('failed', (seen) => isTrue(seen, 'Failed') && seen.exitCode === 3, 170);
  find('the API server is away for a minute: a program that ended meanwhile is told', true, seconds(from));
  await stays.patch({ spec: { suspend: true } });
  await stays.becomes('suspended', (seen) => isTrue(seen, 'Suspended'), 170);
  find('and what is asked for afterwards is done', true, seconds(from));
  await Promise.all([ends.delete(), stays.delete()]);
};

/** They are suspended, so that the node is not what is measured. */
const fifty: Scenario = async (place, find) => {
  const count = 50;
  const items = Array.from({ length: count }, (_, index) => ({
    apiVersion: 'flux-framework.org/v1alpha2',
    kind: 'MiniCluster',
    metadata: { name: `many-${index}`, namespace: place.namespace },
    spec: {
      size: 4,
      suspend: true,
      flux: { container: { disable: true } },
      containers: [{ image: place.image, command: 'hostname' }],
    },
  }));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const from = performance.now();
  await kubectl(['create', '-f', '-'], list);
  const created = seconds(from);
  const all = await until(120, async () => {
    const states = await kubectl([
      'get',
      'miniclusters',
      '-n',
      place.namespace,
      '-o',
      'jsonpath={.items[*].status.state}',
    ]);
    return states.split(' ').filter((state) => state === 'Suspended').length === count ? true : undefined;
  });
  find(
    `${count} MiniClusters created at once are all reconciled`,
    all === true,
    `kubectl create took ${created}, all after ${seconds(from)}`,
  );
  await kubectl(['delete', '--wait=true', '--timeout=120s', '-f', '-'], list);
};

export const resourceScenarios: Readonly<Record<string, Scenario>> = {
  status,
  drift,
  suspended,
  scaled,
  edited,
  deleted,
  failover,
  'controller-crashes': controllerCrashes,
  'api-server-away': apiServerAway,
  fifty,
  fixtures,
  'state-volume': stateVolume,
  kueue,
  ...autoscalingScenarios,
};
