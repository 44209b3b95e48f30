import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fluxPod, probe, statusOf, until } from '../support/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../support/bed.ts';
import { everyFlux, exitCodes, logsOf, miniCluster } from '../support/flux-pod.ts';
import type { Pod } from '../support/pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: elastic MiniClusters. ${unavailable}`);

const up = ['sh', '-c', 'echo up; exec sleep 1000'];

describe.skipIf(unavailable).each(everyFlux())('an instance that grows and shrinks, with $name', (flux) => {
  let bed: Bed;
  let pods: Pod[] = [];
  beforeEach(async () => {
    bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30 } });
    pods = [];
  });
  afterEach(() => bed?.close());

  const leader = () => pods[0] as Pod;
  const online = (count: number) =>
    until(
      async () => (await statusOf(leader())).broker?.online,
      (now) => now === count,
      { withinMs: 60_000 },
    );
  /** The hosts that a job over so many nodes ran on; tried again until the scheduler knows of all of them. */
  async function hostsOfJob(nodes: number): Promise<string[]> {
    const job = () => fluxPod(leader(), 'shell', '--', 'flux', 'run', `-N${nodes}`, 'hostname');
    const { answer } = await until(job, ({ code }) => code === 0);
    return answer.stdout.trim().split('\n').sort();
  }
  const names = (count: number) => Array.from({ length: count }, (_, index) => `mc-${index}`);

  it('starts at its quorum, grows from 3 to 8, shrinks to 2, and runs jobs throughout', async () => {
    const env = { FLUX_POD_MIN_SIZE: '2', FLUX_POD_MAX_SIZE: '8' };
    const startPod = miniCluster(bed, { flux, size: 3, env, command: up });
    pods.push(startPod(0));
    await until(
      () => probe(leader(), 'readyz').catch(() => ({ ok: false, why: '' })),
      ({ why }) => /1 of the 2/.test(why),
    );
    pods.push(startPod(1));
    await leader().waitForOutput(/^up$/m, 30_000);
    expect(await hostsOfJob(2)).toEqual(names(2));
    for (let index = 2; index < 8; index++) pods.push(startPod(index));
    await online(8);
    expect(await hostsOfJob(8)).toEqual(names(8));
    const leaving = pods.splice(2);
    await Promise.all(leaving.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(leaving), logsOf(leaving)).toEqual(Array(6).fill(143));
    await online(2);
    expect(await hostsOfJob(2)).toEqual(names(2));
    pods.push(startPod(2));
    await online(3);
    expect(await hostsOfJob(3)).toEqual(names(3));
    expect((await statusOf(pods[1] as Pod)).broker).toMatchObject({ restarts: 0 });
  });

  it('takes in the pods of another cluster as its declared ranks, and lets them go without harm', async () => {
    let leaderAddress = '';
    const startPod = miniCluster(bed, {
      flux,
      size: 2,
      command: up,
      env: { FLUX_POD_HOSTS: 'mc-[0-1],burst-[0-1]' },
      pod: (rank) =>
        rank < 2
          ? {}
          : {
              cluster: 'burst',
              index: rank - 2,
              service: 'elsewhere',
              namespace: 'cloud',
              env: { FLUX_POD_LEADER: `${leaderAddress}:8050` },
            },
    });
    pods.push(startPod(0), startPod(1));
    await leader().waitForOutput(/^up$/m, 30_000);
    leaderAddress = leader().address;
    pods.push(startPod(2), startPod(3));
    await online(4);
    expect(await hostsOfJob(4)).toEqual(['burst-0', 'burst-1', 'mc-0', 'mc-1']);
    const leaving = pods.splice(2);
    await Promise.all(leaving.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(leaving), logsOf(leaving)).toEqual([143, 143]);
    expect(await hostsOfJob(2)).toEqual(['mc-0', 'mc-1']);
    await Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143]);
  });
});
