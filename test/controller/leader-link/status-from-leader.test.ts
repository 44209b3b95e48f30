/** The status of a MiniCluster as its leader reports it, beside what the pods show. */
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import type { InstanceFacts } from '../../../agent/controller-link/report.ts';
import { controllerKey } from '../../../agent/link/key.ts';
import { resources } from '../../../controller/kubernetes/resources.ts';
import type { ControllerOptions } from '../../../controller/run-controller.ts';
import { jobs, startLeader } from '../../support/agent/controller-links.ts';
import { patient } from '../../support/agent/parent-links.ts';
import { freePort, patience } from '../../support/agent/raw-client.ts';
import { miniCluster, settled } from '../../support/kubernetes/controller-bed.ts';
import { type StoreBed, startStoreBed } from '../../support/kubernetes/store-bed.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);

/** A controller whose links lead to this port of this machine. */
async function startLinked(links: Partial<ControllerOptions['links']> = {}) {
  const port = await freePort();
  const backoff = { first: 1, most: 20 };
  const bed = await startStoreBed({
    links: { holder: 'test', port, reportMs: 1, backoff, deadlines: patient, ...links },
  });
  return Object.assign(bed, { port });
}

/** The MiniCluster's leader, with the certificate that the controller has made. */
async function startLeaderOf(bed: StoreBed & { port: number }, facts: InstanceFacts) {
  // All objects have been applied, the Job last.
  await poll(() => bed.status()?.state).toBe('Starting');
  return startLeader({ port: bed.port, key: keyIn(bed), facts });
}

function keyIn(bed: StoreBed): Buffer {
  const { data } = bed.find(resources.secrets, 'mc-curve') as { data?: Record<string, string> };
  const reading = parseCertificate(Buffer.from(data?.['curve.cert'] ?? '', 'base64').toString());
  if ('damage' in reading) throw new Error(reading.damage);
  return controllerKey(reading.certificate.secretKey, { namespace: 'hpc', cluster: 'mc' });
}

const runPods = (bed: StoreBed, ready = true) => bed.runPods('mc', ready, '127.0.0.1');
const writesOf = ({ server }: StoreBed) =>
  server.requests.filter(({ method, path }) => method === 'PATCH' && path.endsWith('/status')).length;

describe('the status of a MiniCluster', () => {
  it('counts the brokers that its leader reports: a lost one whose pod is ready is not online', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(() => bed.status()).toMatchObject({ state: 'Running', brokersOnline: 2, jobs: jobs(0) });
    leader.change({ brokersOnline: 1 });
    await poll(() => bed.status()).toMatchObject({ state: 'Running', brokersOnline: 1 });
    const ready = bed.status()?.conditions.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({
      status: 'True',
      reason: 'QuorumOnline',
      message: '1 of 2 brokers are online.',
    });
  });

  it('has the jobs of Flux by their state, and keeps them when the Job has ended', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(() => bed.status()?.jobs).toEqual(jobs(0));
    leader.change({ jobs: jobs(3, 4, 5) });
    await poll(() => bed.status()?.jobs).toEqual({ running: 3, inactive: 4, pending: 5 });
    bed.endJob(0);
    await poll(() => bed.status()).toMatchObject({ state: 'Succeeded', jobs: jobs(3, 4, 5) });
    await poll(leader.isWatched).toBe(false);
  });

  it('counts ready pods before the leader is ready, and when it reports no more', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    const leader = await startLeaderOf(bed, { brokersOnline: 1, jobs: jobs(0) });
    runPods(bed, false);
    await poll(() => bed.status()).toMatchObject({ state: 'Starting', brokersOnline: 0 });
    expect(leader.watches()).toBe(0);
    runPods(bed);
    await poll(() => bed.status()?.brokersOnline).toBe(1);
    await leader[Symbol.asyncDispose]();
    await poll(() => bed.status()?.brokersOnline).toBe(2);
    expect(bed.status()?.jobs).toBeUndefined();
    await using _ = await startLeader({
      port: bed.port,
      key: keyIn(bed),
      facts: { brokersOnline: 1, jobs: jobs(1) },
    });
    await poll(() => bed.status()).toMatchObject({ brokersOnline: 1, jobs: jobs(1) });
  });

  it('counts ready pods where the leader’s agent has another certificate, or is too old', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using _ = await startLeader({ port: bed.port, facts: { brokersOnline: 1, jobs: jobs(0) } });
    await poll(() => bed.status()?.state).toBe('Starting');
    runPods(bed);
    await poll(() => bed.status()).toMatchObject({ state: 'Running', brokersOnline: 2 });
    await poll(() => bed.warnings).toContainEqual({ miniCluster: 'hpc/mc', why: 'foreign' });
    await settled(bed);
    expect(bed.status()).toMatchObject({ brokersOnline: 2 });
    expect(bed.status()?.jobs).toBeUndefined();
  });

  it.each<[string, (bed: StoreBed) => void]>([
    ['its leader is no longer ready', (bed) => runPods(bed, false)],
    ['its leader’s pod is deleted', (bed) => bed.remove(resources.pods, 'mc-0-aaaaa')],
    ['it is suspended', suspend],
    ['it is deleted', (bed) => bed.remove(resources.miniClusters)],
    ['it has failed', (bed) => bed.endJob(3)],
  ])('has no link any more when %s', async (_, act) => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(leader.isWatched).toBe(true);
    act(bed);
    await poll(leader.isWatched).toBe(false);
  });

  it('has no link any more when the controller stops', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(leader.isWatched).toBe(true);
    await bed.stop();
    await poll(leader.isWatched).toBe(false);
  });

  it('is not written when the controller starts again', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 1, jobs: jobs(3) });
    runPods(bed);
    await poll(() => bed.status()).toMatchObject({ brokersOnline: 1, jobs: jobs(3) });
    await settled(bed);
    await bed.stop();
    const [before, watches] = [writesOf(bed), leader.watches()];
    bed.start();
    await poll(leader.watches).toBe(watches + 1);
    await settled(bed);
    expect(writesOf(bed)).toBe(before);
  });

  it('is written once for reports alone in the time that they count, whatever else happens, and the last is written', async () => {
    const reportMs = 2000;
    await using bed = await startLinked({ reportMs });
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(() => bed.status()?.jobs).toEqual(jobs(0));
    const [from, before] = [performance.now(), writesOf(bed)];
    for (let running = 1; running <= 100; running++) {
      leader.change({ jobs: jobs(running) });
      bed.patch(resources.jobs, 'mc', { metadata: { labels: { unrelated: String(running) } } });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await poll(() => bed.status()?.jobs).toEqual(jobs(100));
    // On a machine where this takes longer, there may be more of them.
    const most = 1 + Math.floor((performance.now() - from) / reportMs);
    expect(writesOf(bed) - before).toBeLessThanOrEqual(most);
  });

  it('causes neither requests nor reports while nothing happens', async () => {
    await using bed = await startLinked();
    bed.create(miniCluster());
    await using leader = await startLeaderOf(bed, { brokersOnline: 2, jobs: jobs(0) });
    runPods(bed);
    await poll(() => bed.status()?.jobs).toEqual(jobs(0));
    await settled(bed);
    const before = bed.server.requests.length;
    leader.change({ brokersOnline: 2, jobs: jobs(0) });
    await settled(bed, 500);
    expect(bed.server.requests.slice(before)).toEqual([]);
    expect(leader.watches()).toBe(1);
  });

  it('has the Service of the API, where the MiniCluster serves one', async () => {
    await using bed = await startStoreBed();
    const environment = { FLUX_POD_API: 'on', FLUX_POD_API_TOKENS: '/etc/tokens' };
    bed.create(miniCluster({ containers: [{ image: 'a', command: 'true', environment }] }));
    await poll(() => bed.status()?.api).toBe('mc-api.hpc.svc:8052');
    expect(bed.find(resources.services, 'mc-api')).toMatchObject({ spec: { ports: [{ port: 8052 }] } });
  });
});

function suspend(bed: StoreBed): void {
  bed.patch(resources.jobs, 'mc', { spec: { suspend: true } });
  const conditions = [{ type: 'Suspended', status: 'True' }];
  bed.patch(resources.jobs, 'mc', { status: { conditions } }, 'status');
}
