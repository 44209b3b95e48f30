/** What a controller hears of a running instance over its link to the leader. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import type { Report } from '../../../agent/controller-link/report.ts';
import { controllerKey } from '../../../agent/link/key.ts';
import { jobs, openLink, reportsOf } from '../../support/agent/controller-links.ts';
import { fluxPod, get, longestWaitMs, probe, statusOf } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { beginCluster } from '../../support/bed/running-cluster.ts';
import { everyFlux, realFlux, standInFlux } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: the link of a controller. ${unavailable}`);

const calm: NonNullable<Report['demand']> = {
  wanted: 1,
  busy: 0,
  idle: 1,
  active: 0,
  unfit: [],
  unfitCount: 0,
};

/** The key that a controller derives: it has the same certificate. */
async function keyOf(pod: Pod, cluster: string): Promise<Buffer> {
  const reading = parseCertificate((await pod.exec(['cat', '/etc/flux-pod/curve/curve.cert'])).stdout);
  if ('damage' in reading) throw new Error(reading.damage);
  return controllerKey(reading.certificate.secretKey, { namespace: 'default', cluster });
}

describe.skipIf(unavailable)('the link of a controller', { concurrent: true }, () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed();
  });
  afterAll(() => bed?.close());

  it.for(everyFlux())('brings brokers online and jobs by state: $name', async (flux, { expect }) => {
    const cluster = flux.real ? 'real' : 'stand-in';
    const env = { FLUX_POD_SIZE: '3', FLUX_POD_MIN_SIZE: '1' };
    await using mc = beginCluster(bed, { flux, size: 1, cluster, env });
    await mc.up();
    await mc.ready(0);
    const key = await keyOf(mc.leader, cluster);
    const leader = { host: mc.leader.address, port: 8051 };
    const { reports, release, broken } = await reportsOf(leader, { key });
    const report = (
      brokersOnline: number,
      jobs: Report['jobs'],
      demand: Partial<Report['demand']>,
    ): Report[] => [{ kind: 'report', brokersOnline, size: 3, jobs, demand: { ...calm, ...demand } }];
    const last = () => reports.slice(-1);
    const submit = async (...args: string[]) => (await fluxPod(mc.leader, 'submit', ...args)).stdout.trim();

    await expect.poll(last).toEqual(report(1, jobs(0), {}));
    const id = await submit('-N3', '--', 'sleep', '1000');
    const wanted = { wanted: 3, active: 1 };
    await expect
      .poll(last)
      .toEqual(report(1, jobs(0, 0, 1), { ...wanted, reason: `job ${id} needs 3 nodes` }));
    expect((await statusOf(mc.leader)).demand).toEqual(last()[0]?.demand);
    for (const index of [1, 2]) mc.replace(index);
    await expect.poll(last).toEqual(report(3, jobs(1), { ...wanted, busy: 3, idle: 0 }));
    const samples = (await get(mc.leader, '/metrics')).text.split('\n');
    expect(samples).toEqual(expect.arrayContaining(['flux_pod_nodes_wanted 3', 'flux_pod_nodes_idle 0']));
    expect(await openLink({ ...leader, host: mc.pod(1).address }, { key })).toBe('foreign');

    // More nodes than there are: it fails at once, unless it is held.
    await submit('-N400', '--', 'true');
    await expect.poll(last).toEqual(report(3, jobs(1, 1), { ...wanted, busy: 3, idle: 0 }));
    await fluxPod(mc.leader, 'cancel', id);
    await expect.poll(last).toEqual(report(3, jobs(0, 2), { idle: 3 }));
    const unfit = {
      id: await submit('--urgency=0', '-N4', '--', 'true'),
      why: 'it needs 4 nodes, and the instance has at most 3',
    };
    const withUnfit = { active: 1, unfit: [unfit], unfitCount: 1 };
    await expect.poll(last).toEqual(report(3, jobs(0, 2, 1), { idle: 3, ...withUnfit }));
    await fluxPod(mc.leader, 'cancel', unfit.id);
    await expect.poll(last).toEqual(report(3, jobs(0, 3), { idle: 3 }));

    // What is asked of the pod meanwhile changes nothing.
    const before = reports.length;
    for (let n = 0; n < 20; n++) await probe(mc.leader, 'readyz');
    expect(reports.slice(before)).toEqual([]);

    await mc.pod(2).kill();
    await expect.poll(last).toEqual(report(2, jobs(0, 3), { idle: 2 }));
    if (flux.real) expect(await watchersOf(mc.leader)).toBe(1);
    release();
    await broken;
    if (flux.real) await expect.poll(() => watchersOf(mc.leader)).toBe(0);
  });

  it('is open to a single broker where a certificate is mounted', async ({ expect }) => {
    await using mc = beginCluster(bed, { flux: standInFlux, size: 1, cluster: 'single' });
    await mc.up();
    await mc.ready();
    const { reports } = await reportsOf(
      { host: mc.leader.address, port: 8051 },
      { key: await keyOf(mc.leader, 'single') },
    );
    await expect
      .poll(() => reports.at(-1))
      .toEqual({ kind: 'report', brokersOnline: 1, size: 1, jobs: jobs(0) });
  });
});

/** Of a real Flux: drains are what it makes of them. */
const real = realFlux();
describe.skipIf(unavailable || !real)('a size that a controller asks for', () => {
  const flux = real ?? standInFlux;
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed();
  });
  afterAll(() => bed?.close());

  it('frees the highest ranks when their jobs have ended, takes them back, and leaves what a user has drained', async ({
    expect,
  }) => {
    const cluster = 'shrinks';
    const env = { FLUX_POD_SIZE: '3', FLUX_POD_MIN_SIZE: '1', FLUX_POD_RESOURCES: 'cores=2' };
    await using mc = beginCluster(bed, { flux, size: 3, cluster, env });
    await mc.up();
    await mc.online(3);
    const poll = <T>(read: () => T) => expect.poll(read, { timeout: longestWaitMs, interval: 50 });
    const run = async (...command: string[]) => {
      const { code, stdout, stderr } = await fluxPod(mc.leader, 'shell', '--', 'flux', ...command);
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    };
    const submit = (rank: number | undefined, ...options: string[]) =>
      run('submit', ...(rank === undefined ? [] : [`--requires=rank:${rank}`]), ...options, 'sleep', '1000');
    const ranksOf = (id: string) => run('jobs', '-no', '{ranks}', id);
    const runs = (id: string) => run('job', 'wait-event', '-t', '60', id, 'start');
    const drains = () => run('resource', 'drain', '-no', '{ranks} {reason}');
    const reason = (size: number) => `flux-pod: the size shrinks to ${size}`;

    // New jobs come to the lowest rank, and not to the one with the most free cores.
    for (let n = 0; n < 2; n++) {
      const id = await submit(undefined);
      await runs(id);
      await poll(() => ranksOf(id)).toBe('0');
    }
    const last = await submit(2);
    await runs(last);
    await run('resource', 'drain', '1', 'a user');

    const link = await reportsOf(
      { host: mc.leader.address, port: 8051 },
      { key: await keyOf(mc.leader, cluster) },
    );
    const freed = () => link.reports.at(-1)?.freed;
    // The first report follows the proof that the leader has asked for; before it a request may be refused.
    await poll(() => link.reports.length).toBeGreaterThan(0);
    expect(await link.request({ kind: 'keep', size: 2 })).toBe('accepted');
    await poll(drains).toContain(`2 ${reason(2)}`);
    // A job that only that rank could run waits, and with the one that runs there the size is not freed.
    const waits = await submit(2);
    await run('job', 'wait-event', '-t', '60', waits, 'priority');
    await poll(() => run('jobs', '-no', '{state}', waits, last)).toBe('SCHED\nRUN');
    expect(freed()).toBeUndefined();
    await run('cancel', last);
    await poll(freed).toBe(2);
    expect(await run('jobs', '-no', '{state}', waits)).toBe('SCHED');

    // Its pod goes with the size, and the drain of the size is all that is left of it, without a complaint in the status.
    await mc.pod(2).signal('SIGTERM');
    expect((await mc.pod(2).exited).code).toBe(143);
    await mc.online(2);
    expect(await drains()).toContain(`2 ${reason(2)}`);
    const status = JSON.parse((await fluxPod(mc.leader, 'status', '--json')).stdout);
    expect(status.remarks).toEqual([]);
    await poll(async () => (await fluxPod(mc.leader, 'status')).stdout).toMatch(
      / offline 2, drained 1 \(a user\)$/m,
    );
    await poll(() => link.reports.at(-1)).toMatchObject({ brokersOnline: 2, freed: 2 });

    // It comes back when the size grows again, and takes jobs at once.
    expect(await link.request({ kind: 'keep', size: 3 })).toBe('accepted');
    await poll(freed).toBe(3);
    mc.replace(2);
    await mc.online(3);
    await runs(waits);
    await poll(() => ranksOf(waits)).toBe('2');
    expect(await drains()).toMatch(/^1 a user$/);

    // All ranks but the first, of which a user has drained one: that one stays his.
    await run('cancel', '--all');
    expect(await link.request({ kind: 'keep', size: 1 })).toBe('accepted');
    await poll(freed).toBe(1);
    expect(await link.request({ kind: 'keep', size: 3 })).toBe('accepted');
    await poll(freed).toBe(3);
    expect(await drains()).toMatch(/^1 a user$/);
    link.release();
    await link.broken;
  });
});

/** How many streams of job states the broker's job-list module serves. */
async function watchersOf(pod: Pod): Promise<number> {
  const { stdout } = await fluxPod(pod, 'shell', '--', 'flux', 'module', 'stats', 'job-list');
  return JSON.parse(stdout).stats_watchers;
}
