import { inLeader } from './in-leader.ts';
import { kubectl, type SeenPod } from './kubectl.ts';
import { applyMiniCluster, type Place, type RunningMiniCluster, until } from './minicluster.ts';
import { operatorExamples, viewCommands } from './operator-examples.ts';
import { exitCodesAre, lastWords, type Scenario, seconds, stateOf } from './scenario.ts';

/** Says when it starts, on the pod's own clock, which is the node's. */
const sayStart = 'echo "started $(date +%s.%N)"';
const staysUp = `${sayStart}; sleep 1000`;

const completes: Scenario = async (place, find) => {
  const cluster = await applyMiniCluster(place, { name: 'hello', program: 'flux run -N4 hostname' });
  const reason = await cluster.jobCondition('Complete');
  const took = seconds(cluster.appliedAt);
  const log = await cluster.logs((await cluster.podOf(0))?.metadata.name ?? '');
  const hosts = log.split('\n').filter((line) => /^hello-\d$/.test(line));
  find('four pods become one instance', hosts.length === 4, hosts.sort().join(' ') || lastWords(log));
  find('the Job completes', reason !== undefined, reason === undefined ? 'it did not' : `in ${took}`);
  find('every pod ends with 0', ...(await exitCodesAre(cluster, 0)));
  find('the init container copies flux-pod', ...installTimes(await cluster.pods()));
  await cluster.delete();
};

function installTimes(pods: readonly SeenPod[]): [boolean, string] {
  const times = pods.flatMap(({ status }) => {
    const ended = status.initContainerStatuses?.[0]?.state.terminated;
    return ended ? [(Date.parse(ended.finishedAt) - Date.parse(ended.startedAt)) / 1000] : [];
  });
  return [times.length === pods.length, `in ${times.join(', ')} s (whole seconds)`];
}

const probes: Scenario = async (place, find) => {
  const cluster = await applyMiniCluster(place, { name: 'probed', program: staysUp });
  const ready = await until(60, async () => ((await readyPods(cluster)) === 4 ? true : undefined));
  find('the kubelet finds all pods ready', ready === true, seconds(cluster.appliedAt));
  // Three periods of the liveness probe.
  await new Promise((resolve) => setTimeout(resolve, 31_000));
  const restarts = (await cluster.pods()).map(
    ({ status }) => status.containerStatuses?.[0]?.restartCount ?? 0,
  );
  const quiet = restarts.every((count) => count === 0) && (await readyPods(cluster)) === 4;
  find('and alive for three periods', quiet, `restarts ${restarts.join(' ')}`);
  const events = JSON.parse(
    await kubectl([
      'get',
      'events',
      '-n',
      place.namespace,
      '-o',
      'json',
      '--field-selector=reason=Unhealthy',
    ]),
  ).items.map(({ message }: { message: string }) => message);
  // A startup probe may come before the agent listens: that is what it is for.
  const grave = events.filter((message: string) => message.startsWith('Liveness'));
  find('no liveness probe has failed', grave.length === 0, grave[0] ?? `${events.length} other probes have`);
  await cluster.delete();
};

const readyPods = async (cluster: RunningMiniCluster): Promise<number> =>
  (await cluster.pods()).filter(
    ({ metadata, status }) =>
      !metadata.deletionTimestamp &&
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  ).length;

/** Names that DNS has just had, and names that it has not had, in turn: a machine that gets slower is slower for both. */
const again: Scenario = async (place, find) => {
  const start = async (name: string) => {
    const cluster = await applyMiniCluster(place, { name, program: sayStart });
    await cluster.leaderSays(/^started /m);
    const fromApply = (performance.now() - cluster.appliedAt) / 1000;
    await cluster.jobCondition('Complete');
    const fromLastPod = await secondsFromLastPod(cluster);
    await cluster.delete();
    return { fromApply, fromLastPod };
  };
  await start('again');
  const fresh: Awaited<ReturnType<typeof start>>[] = [];
  const same: typeof fresh = [];
  for (let time = 0; time < 6; time++) {
    fresh.push(await start(`fresh-${time}`));
    same.push(await start('again'));
  }
  const fromLastPod = (starts: typeof fresh) => starts.map((each) => each.fromLastPod);
  find(
    're-created six times under the same names: the program starts no later after the last pod than under fresh ones',
    median(fromLastPod(same)) <= 1.5 * median(fromLastPod(fresh)),
    `${spread(fromLastPod(same))}; fresh: ${spread(fromLastPod(fresh))}`,
  );
  const fromApply = (starts: typeof fresh) => starts.map((each) => each.fromApply);
  find(
    'nor after kubectl apply',
    median(fromApply(same)) <= 1.5 * median(fromApply(fresh)),
    `${spread(fromApply(same))}; fresh: ${spread(fromApply(fresh))}`,
  );
};

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] as number;

const spread = (values: readonly number[]): string => {
  const [min, middle, max] = [Math.min(...values), median(values), Math.max(...values)].map((value) =>
    value.toFixed(1),
  );
  return `min ${min}, median ${middle}, max ${max} s`;
};

/** From the first line of the pod that was last to the start of the program. */
async function secondsFromLastPod(cluster: RunningMiniCluster): Promise<number> {
  const logs = await Promise.all((await cluster.pods()).map(({ metadata }) => cluster.logs(metadata.name)));
  const first = logs.map((log) => Date.parse(/"time":"([^"]+)"/.exec(log)?.[1] ?? '') / 1000);
  const started = Number(logs.map((log) => /^started (.+)$/m.exec(log)?.[1]).find((time) => time));
  return started - Math.max(...first);
}

const leaderLost =
  (
    how: string,
    restartPolicy: 'Never' | 'OnFailure',
    lose: (pod: string, place: Place) => Promise<unknown>,
  ): Scenario =>
  async (place, find) => {
    const name = `${how}-${restartPolicy.toLowerCase()}`;
    const cluster = await applyMiniCluster(place, {
      name,
      program: staysUp,
      spec: { pod: { restartPolicy } },
    });
    const startOf = (log: string) => /^started (.+)$/m.exec(log)?.[1];
    const first = startOf(await cluster.leaderSays(/^started /m));
    const leader = (await cluster.podOf(0))?.metadata.name ?? '';
    const followers = await runningFollowers(cluster);
    const firstTook = seconds(cluster.appliedAt);
    const from = performance.now();
    await lose(leader, place);
    const back = await until(120, async () => {
      const now = await cluster.podOf(0);
      const start = now && startOf(await cluster.logs(now.metadata.name));
      return start !== undefined && start !== first ? true : undefined;
    });
    // After a failure the Job controller waits 10 s before it replaces the pod.
    find(
      `leader pod ${how}, restartPolicy ${restartPolicy}: the instance runs again`,
      back === true,
      back
        ? `${seconds(from)} later; from kubectl apply to the first run: ${firstTook}`
        : await stateOf(cluster),
    );
    const kept = (await runningFollowers(cluster)).filter((pod) => followers.includes(pod));
    find(
      'with the same follower pods',
      kept.length === 3,
      `${kept.length} of 3 still run; ${await stateOf(cluster)}`,
    );
    await cluster.delete();
  };

const runningFollowers = async (cluster: RunningMiniCluster): Promise<string[]> =>
  (await cluster.pods())
    .filter(({ metadata, status }) => !/-0-\w+$/.test(metadata.name) && status.phase === 'Running')
    .map(({ metadata }) => metadata.name);

const remove = (pod: string, { namespace }: Place) =>
  kubectl(['delete', 'pod', '-n', namespace, pod, '--wait=false']);
/** Every process of the pod but PID 1, which then ends with 137. The command itself is among them. */
const crash = (pod: string, { namespace }: Place) =>
  kubectl(['exec', '-n', namespace, pod, '--', 'sh', '-c', 'kill -9 -1']).catch(() => undefined);

const jobDeleted: Scenario = async (place, find) => {
  const cluster = await applyMiniCluster(place, {
    name: 'deleted',
    program: `${sayStart}; flux run -N4 sleep 1000`,
  });
  await cluster.leaderSays(/^started /m);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const watched = (await cluster.pods()).map(({ metadata }) =>
    kubectl(['logs', '-n', place.namespace, '-f', metadata.name, '-c', cluster.name]).catch(() => ''),
  );
  const from = performance.now();
  await cluster.delete();
  const took = seconds(from);
  const codes = (await Promise.all(watched)).map((log) => /"exitCode":(\d+)/.exec(log)?.[1] ?? 'killed');
  find(
    'Job deleted while a job runs: each pod exits in order within its grace period',
    codes.every((code) => code === '143'),
    `exit codes ${codes.join(' ')}, the last pod terminated after ${took}`,
  );
};

const failing =
  (restartPolicy: 'Never' | 'OnFailure'): Scenario =>
  async (place, find) => {
    const name = `failing-${restartPolicy.toLowerCase()}`;
    const cluster = await applyMiniCluster(place, {
      name,
      program: `${sayStart}; exit 3`,
      spec: { backoffLimit: 1, pod: { restartPolicy } },
    });
    const seen = new Set<string>();
    const reason = await until(120, async () => {
      for (const { metadata, status } of await cluster.pods()) {
        const container = status.containerStatuses?.[0];
        const ended = container?.state.terminated ?? container?.lastState.terminated;
        const index = metadata.labels['batch.kubernetes.io/job-completion-index'];
        if (ended) seen.add(`${index}:${ended.exitCode}`);
      }
      const failed = (await cluster.job()).status.conditions?.find(({ type }) => type === 'Failed');
      return failed?.status === 'True' ? failed.reason : undefined;
    });
    find(
      `a failing program, restartPolicy ${restartPolicy}: the Job fails after its tries`,
      reason === (restartPolicy === 'Never' ? 'MaxFailedIndexesExceeded' : 'BackoffLimitExceeded'),
      reason ? `${reason} in ${seconds(cluster.appliedAt)}` : await stateOf(cluster),
    );
    find(
      'with the code of the program',
      seen.has('0:3'),
      `ended (index:code): ${[...seen].sort().join(' ')}`,
    );
    find('and no pod as if all had gone well', ![...seen].some((end) => end.endsWith(':0')), '');
    await cluster.delete();
  };

/** A MiniCluster that asks for no tries of its program: no second one is run. */
const failsOnce: Scenario = async (place, find) => {
  const cluster = await applyMiniCluster(place, { name: 'fails-once', program: `${sayStart}; exit 3` });
  const reason = await cluster.jobCondition('Failed', 60);
  find(
    'a failing program fails the Job at once',
    reason === 'PodFailurePolicy',
    reason ? `${reason} in ${seconds(cluster.appliedAt)}` : await stateOf(cluster),
  );
  const pods = await cluster.pods();
  find('and is run once', pods.length === 4, `${pods.length} pods were made for size 4`);
  await cluster.delete();
};

/** Kubernetes deletes the pods of a namespace before its Jobs. */
const namespaceDeleted: Scenario = async (place, find) => {
  const namespace = `${place.namespace}-gone`;
  await kubectl(['create', 'namespace', namespace]);
  const cluster = await applyMiniCluster({ ...place, namespace }, { name: 'gone', program: staysUp });
  await cluster.leaderSays(/^started /m);
  const from = performance.now();
  await kubectl(['delete', 'namespace', namespace, '--wait=false']);
  const gone = await until(120, async () =>
    (await kubectl(['get', 'namespace', namespace, '--ignore-not-found', '-o', 'name'])) === ''
      ? true
      : undefined,
  );
  find(
    'a namespace is deleted while the Job runs',
    gone === true,
    gone ? seconds(from) : await stateOf(cluster),
  );
};

const hopeless =
  (what: string, environment: Readonly<Record<string, string>>, code: number): Scenario =>
  async (place, find) => {
    const cluster = await applyMiniCluster(place, {
      name: `hopeless-${code}`,
      program: sayStart,
      environment,
    });
    const reason = await cluster.jobCondition('Failed', 60);
    find(
      `${what}: the Job fails at once`,
      reason === 'PodFailurePolicy',
      reason ? `${reason} in ${seconds(cluster.appliedAt)}` : await stateOf(cluster),
    );
    await cluster.delete();
  };

const elastic: Scenario = async (place, find) => {
  const cluster = await applyMiniCluster(place, {
    name: 'elastic',
    size: 2,
    spec: { minSize: 2, maxSize: 4 },
    program: staysUp,
  });
  await cluster.leaderSays(/^started /m);
  const resize = async (size: number) => {
    const from = performance.now();
    const patch = JSON.stringify({ spec: { completions: size, parallelism: size } });
    // The controller repairs a Job that somebody else has changed.
    const scale = place.byResource
      ? ['scale', 'minicluster', 'elastic', `--replicas=${size}`]
      : ['patch', 'job', 'elastic', '--type=merge', '-p', patch];
    await kubectl([...scale, '-n', place.namespace]);
    const reached = await until(60, async () =>
      (await onlineBrokers(place, cluster)) === size ? true : undefined,
    );
    const seen = reached
      ? seconds(from)
      : `${await onlineBrokers(place, cluster)} online; ${await stateOf(cluster)}`;
    return [reached === true, seen] as const;
  };
  find('grown from 2 to 4 pods', ...(await resize(4)));
  find('shrunk to 2', ...(await resize(2)));
  await cluster.delete();
};

/** As the user of the pods, and with the directory of the broker's socket alone: it submits the job that the program waits for. */
const beside: Scenario = async (place, find) => {
  // The socket is there before the broker takes jobs.
  const ask = 'flux submit --job-name=from-beside true';
  const submit = `export FLUX_URI=$fluxsocket; until ${ask}; do sleep 0.2; done; sleep 1000`;
  const wait = 'until flux jobs -a -no {name} | grep -x from-beside; do sleep 0.2; done; flux queue drain';
  const cluster = await applyMiniCluster(place, {
    name: 'beside',
    size: 2,
    program: wait,
    beside: [{ image: place.image, name: 'submitter', command: submit }],
  });
  const reason = await cluster.jobCondition('Complete', 60);
  const seen = reason === undefined ? await stateOf(cluster) : seconds(cluster.appliedAt);
  find('a container beside Flux reaches the broker', reason !== undefined, seen);
  find('and does not keep the Job from ending with 0', ...(await exitCodesAre(cluster, 0)));
  await cluster.delete();
};

async function onlineBrokers(place: Place, cluster: RunningMiniCluster): Promise<number | undefined> {
  const answer = await inLeader(
    place,
    cluster,
    'flux',
    'resource',
    'list',
    '-s',
    'up',
    '-no',
    '{nnodes}',
  ).catch(() => '');
  return answer === '' ? undefined : Number(answer.trim());
}

/** All of them, in the order in which they are run. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  completes,
  probes,
  again,
  'leader-deleted': leaderLost('deleted', 'Never', remove),
  'leader-crashed': leaderLost('crashed', 'Never', crash),
  'leader-restarted': leaderLost('crashed', 'OnFailure', crash),
  'job-deleted': jobDeleted,
  'failing-never': failing('Never'),
  'failing-onfailure': failing('OnFailure'),
  'fails-once': failsOnce,
  'namespace-deleted': namespaceDeleted,
  'no-flux': hopeless('no usable Flux', { FLUX_POD_FLUX: '/nowhere/flux' }, 72),
  'wrong-setting': hopeless('a wrong setting', { FLUX_POD_TOPO: 'star' }, 78),
  elastic,
  beside,
  'operator-examples': operatorExamples,
  'view-commands': viewCommands,
};
