import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fluxPod, probe, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import { beginCluster, type RunningCluster } from '../../support/bed/running-cluster.ts';
import { exitCodes, firstChoice, logsOf } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: elastic MiniClusters. ${unavailable}`);

describe.skipIf(unavailable)('an instance that grows and shrinks', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30 } });
  });
  afterAll(() => bed?.close());

  /** The hosts that a job over so many nodes ran on; tried again until the scheduler knows of all of them. */
  async function hostsOfJob({ leader }: RunningCluster, nodes: number): Promise<string[]> {
    const job = () => fluxPod(leader, 'shell', '--', 'flux', 'run', `-N${nodes}`, 'hostname');
    const { answer } = await until(job, ({ code }) => code === 0);
    return answer.stdout.trim().split('\n').sort();
  }
  const names = (count: number) => Array.from({ length: count }, (_, index) => `grows-${index}`);
  /** SIGTERM to all pods from this index on: they leave. */
  async function leave({ pods }: RunningCluster, from: number): Promise<void> {
    const leaving = pods.splice(from);
    await Promise.all(leaving.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(leaving), logsOf(leaving)).toEqual(leaving.map(() => 143));
  }

  it('starts at its quorum, grows from 3 to 5 of 8, shrinks to 2, and runs jobs throughout', async () => {
    const env = { FLUX_POD_SIZE: '3', FLUX_POD_MIN_SIZE: '2', FLUX_POD_MAX_SIZE: '8' };
    await using mc = beginCluster(bed, { flux, size: 1, cluster: 'grows', env });
    await until(
      () => probe(mc.leader, 'readyz').catch(() => ({ ok: false, why: '' })),
      ({ why }) => /1 of the 2/.test(why),
    );
    mc.replace(1);
    await mc.up();
    expect(await hostsOfJob(mc, 2)).toEqual(names(2));
    for (let index = 2; index < 5; index++) mc.replace(index);
    await mc.online(5);
    expect(await hostsOfJob(mc, 5)).toEqual(names(5));
    await leave(mc, 2);
    await mc.online(2);
    expect(await hostsOfJob(mc, 2)).toEqual(names(2));
    mc.replace(2);
    await mc.online(3);
    expect(await hostsOfJob(mc, 3)).toEqual(names(3));
    expect(await mc.restarts(1)).toBe(0);
  });

  it('takes in the pods of another cluster as its declared ranks, and lets them go without harm', async () => {
    let leaderAddress = '';
    await using mc = beginCluster(bed, {
      flux,
      size: 2,
      cluster: 'mc',
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
    await mc.up();
    leaderAddress = mc.leader.address;
    for (const rank of [2, 3]) mc.replace(rank);
    await mc.online(4);
    expect(await hostsOfJob(mc, 4)).toEqual(['burst-0', 'burst-1', 'mc-0', 'mc-1']);
    await leave(mc, 2);
    expect(await hostsOfJob(mc, 2)).toEqual(['mc-0', 'mc-1']);
    expect(await mc.stop(), mc.logs()).toEqual([143, 143]);
  });

  it('ends with code 0 on all pods when it has had no job for long enough, though its program goes on', async () => {
    const env = { FLUX_POD_IDLE_TIMEOUT: '1s' };
    await using mc = beginCluster(bed, { flux, size: 2, cluster: 'idles', env });
    expect(await exitCodes(mc.pods), mc.logs()).toEqual([0, 0]);
    expect(mc.logs()).toContain('The instance had no active job for 1 s (FLUX_POD_IDLE_TIMEOUT)');
  });
});
