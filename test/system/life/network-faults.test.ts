import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fluxPod, probe, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import { foundIn } from '../../support/bed/found.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { toolPath } from '../../support/bed/pod-sandbox.ts';
import { startRelay } from '../../support/bed/relay.ts';
import {
  beginCluster,
  type ClusterSpec,
  hasParentLinks,
  isReady,
  isUnready,
  startCluster,
} from '../../support/bed/running-cluster.ts';
import { exitCodes, firstChoice, logsOf, miniCluster, standInFlux } from '../../support/project/flux-pod.ts';

/**
 * Loses one packet of five of the agents' and of DNS, one of ten of the brokers': Flux gives a broker up whose data is not acknowledged for 20 s
 * (tbon.tcp_user_timeout), which one of five made happen once in 88 instances, where chance chose them. So they are counted, not chosen
 * (iptables-extensions(8), statistic).
 */
const loss = [
  ['udp', '53', '5'],
  ['tcp', '8051', '5'],
  ['tcp', '8050', '10'],
].map(
  ([protocol, port, every]) =>
    `iptables -A INPUT -p ${protocol} -m multiport --ports ${port} -m statistic --mode nth --every ${every} --packet 0 -j DROP`,
);
const lose = ['sh', '-c', loss.join(' && ')];

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: faults of the network. ${unavailable}`);

const lossUnavailable = unavailable ?? cannotLose();
if (lossUnavailable) console.warn(`SKIPPED: packet loss. ${lossUnavailable}`);

const [fakeTime] = globSync('/usr/lib/*/faketime/libfaketime.so.1');
if (!fakeTime)
  console.warn('SKIPPED: a clock that jumps. Install the package libfaketime and run the tests again.');

/** What happened and how long it took, to be read at the end. */
const table: string[] = [];
const record = (what: string, since: number) => {
  const seconds = ((performance.now() - since) / 1000).toFixed(2).padStart(6);
  table.push(`${firstChoice().name.padEnd(14)} ${what.padEnd(72)} ${seconds} s`);
};
afterAll(() => {
  if (table.length > 0) console.log(`What happened, and how long it took:\n${table.join('\n')}`);
});

/** How late each pod finds its parent, whatever is met on the way: test/dns, by a virtual clock. */
describe.skipIf(unavailable)('faults of the network', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    // A pod that waits for the end of a TTL fails its test.
    bed = await createBed({ dns: { negativeTtl: 3600, positiveTtl: 3600 } });
  });
  afterAll(() => bed?.close());

  type Spec = Omit<ClusterSpec, 'flux'> & { flux?: ClusterSpec['flux'] };
  const begin = (spec: Spec) => beginCluster(bed, { flux, jobs: false, ...spec });
  const start = (spec: Spec) => startCluster(bed, { flux, jobs: false, ...spec });

  it('records that come late are found, though the caches keep that there were none', async () => {
    await using mc = begin({
      size: 3,
      cluster: 'late',
      flux: standInFlux,
      pod: () => ({ publishAfter: Number.POSITIVE_INFINITY }),
    });
    // A query that is sent again, because its answer is late, is the same question.
    const questionsOf = ({ address }: Pod) =>
      new Set(bed.nameserver.queries.filter(({ from }) => from === address).map(({ type }) => type)).size;
    await until(
      async () => Math.min(...mc.pods.slice(1).map(questionsOf)),
      (questions) => questions >= 5,
    );
    const startedAt = performance.now();
    for (const { fqdn = '', address } of mc.pods) bed.nameserver.publish(fqdn, address);
    await mc.up();
    record('records that come late: from the last record to the program', startedAt);
    for (const pod of mc.pods.slice(1)) expect((await foundIn(pod)).questions).toBeGreaterThanOrEqual(5);
  });

  it('a resolver that is silent is asked again, and the parent is found when it speaks', async () => {
    await using relay = await startRelay(bed.nameserver);
    await using mc = begin({
      size: 2,
      cluster: 'silent',
      flux: standInFlux,
      env: { FLUX_POD_NAMESERVERS: relay.target },
    });
    await until(
      async () => relay.swallowed(),
      (questions) => questions > 5,
    );
    relay.open();
    const startedAt = performance.now();
    await mc.up();
    record('a resolver that was silent speaks: the program runs', startedAt);
  });

  it('a name that leads to the leader of another MiniCluster is no parent: the follower goes on looking', async () => {
    // By the time when the name is right again the follower may have met the wrong address under every cache key: it is kept for its TTL.
    await using place = await createBed({ dns: { negativeTtl: 3600, positiveTtl: 5 } });
    await using others = await startCluster(place, { flux, jobs: false, size: 2, cluster: 'other' });
    const startPod = miniCluster(place, {
      flux,
      size: 2,
      jobs: false,
      cluster: 'misled',
      command: ['sh', '-c', 'echo up; exec sleep 1000'],
      pod: (index) => (index === 0 ? { publishAfter: Number.POSITIVE_INFINITY } : {}),
    });
    const name = 'misled-0.flux-service.default.svc.cluster.local';
    place.nameserver.publish(name, others.leader.address);
    const [leader, follower] = [startPod(0), startPod(1)];
    await follower.waitForOutput(/not of this instance/);
    place.nameserver.withdraw(name, others.leader.address);
    place.nameserver.publish(name, leader.address);
    const startedAt = performance.now();
    await leader.waitForOutput(/^up$/m).catch((error) => {
      throw new Error(`${error.message}\n${logsOf([follower])}`);
    });
    record('a name that led to another MiniCluster’s leader is right again: the program runs', startedAt);
    for (const index of [0, 1]) expect(await others.restarts(index), others.logs()).toBe(0);
    await others.ready();
    await Promise.all([leader.kill(), follower.kill()]);
  });

  it('a link that is down until TCP gives up restarts no leader, and the pod is ready again by itself', async () => {
    await using mc = await start({ size: 2, cluster: 'unplugged' });
    await mc.ready();
    const follower = mc.pod(1);
    await mc.linked(1);
    await follower.linkDown();
    await isUnready(follower);
    expect((await fluxPod(follower, 'probe', 'live')).code, 'still live').toBe(0);
    // Keep-alive probes of the parent link: each second after 10 s of silence, ten times.
    await hasParentLinks(follower, 0);
    await follower.linkUp();
    const startedAt = performance.now();
    // TCP doubles the time after which it sends again (RFC 6298).
    await isReady(follower);
    record('link down until TCP has given up the parent link, and up again: ready', startedAt);
    expect(await mc.restarts(0), mc.logs()).toBe(0);
  });

  it.skipIf(lossUnavailable)('packets that are lost delay, and break nothing', async () => {
    const startedAt = performance.now();
    const command = ['sh', '-c', flux.real ? 'flux run -N3 hostname' : 'exit 0'];
    await using mc = begin({ size: 3, cluster: 'lossy', jobs: true, command });
    await Promise.all(mc.pods.map((pod) => pod.started));
    for (const { code, stderr } of await Promise.all(mc.pods.map((pod) => pod.exec(lose))))
      expect(code, stderr).toBe(0);
    expect(await exitCodes(mc.pods), mc.logs()).toEqual([0, 0, 0]);
    if (flux.real) expect(mc.leader.stdout.trim().split('\n')).toHaveLength(3);
    record('packets lost: three pods from their start to their end', startedAt);
  });

  it.skipIf(!fakeTime)(
    'a clock that jumps by a day, and back, is no fault of the parent or the broker',
    async () => {
      const clock = '/tmp/clock';
      await using mc = await start({
        size: 2,
        cluster: 'jumping',
        env: {
          LD_PRELOAD: fakeTime ?? '',
          FAKETIME_TIMESTAMP_FILE: clock,
          FAKETIME_NO_CACHE: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        },
        pod: () => ({ mounts: { [clock]: { content: '+0', mode: 0o644 } } }),
      });
      await mc.ready();
      for (const offset of ['+1d', '-1d']) {
        await Promise.all(mc.pods.map((pod) => pod.exec(['sh', '-c', `echo ${offset} >${clock}`])));
        // For longer than three heartbeats take, whose absence would be noticed.
        for (const jumpedAt = performance.now(); performance.now() - jumpedAt < 7000; await delay(250)) {
          for (const pod of mc.pods) {
            expect(await probe(pod, 'livez'), `${pod.name} ${offset}\n${mc.logs()}`).toMatchObject({
              ok: true,
            });
            const { ok, why } = await probe(pod, 'readyz');
            // A busy machine owes an answer for a moment, but no day.
            if (!ok)
              expect(why, `${pod.name} ${offset}\n${mc.logs()}`).toMatch(/has not answered for \d\.\d s$/);
          }
        }
        for (const index of [0, 1]) expect(await mc.restarts(index)).toBe(0);
      }
    },
  );
});

function cannotLose(): string | undefined {
  if (!toolPath.split(':').some((directory) => existsSync(`${directory}/iptables`)))
    return 'It needs the program "iptables": install the package of that name';
  const { status, stderr } = spawnSync('unshare', ['--net', ...lose], {
    env: { PATH: toolPath },
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `iptables cannot lose packets here: ${stderr}`;
}
