import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { setTimeout as passing } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { fluxPod, probe, statusOf, until } from '../support/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../support/bed.ts';
import {
  everyFlux,
  exitCodes,
  type Flux,
  logsOf,
  type MiniClusterSpec,
  miniCluster,
  realFlux,
  startMiniCluster,
} from '../support/flux-pod.ts';
import { foundIn } from '../support/found.ts';
import type { Pod } from '../support/pod.ts';
import { toolPath } from '../support/pod-sandbox.ts';
import { startRelay } from '../support/relay.ts';

/** One packet of five: iptables-extensions(8), statistic. */
const lose = ['-m', 'statistic', '--mode', 'random', '--probability', '0.2', '-j', 'DROP'];

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: faults of the network. ${unavailable}`);

const lossUnavailable = unavailable ?? cannotLose();
if (lossUnavailable) console.warn(`SKIPPED: packet loss. ${lossUnavailable}`);

const [fakeTime] = globSync('/usr/lib/*/faketime/libfaketime.so.1');
if (!fakeTime)
  console.warn('SKIPPED: a clock that jumps. Install the package libfaketime and run the tests again.');

const [standIn] = everyFlux() as [Flux];
/** These faults take as long as they take, so each is met by one Flux: the real one where there is one. */
const flux = realFlux() ?? standIn;

/** What happened and how long it took, to be read at the end. */
const table: string[] = [];
const record = (what: string, milliseconds: number) =>
  table.push(`${flux.name.padEnd(14)} ${what.padEnd(72)} ${(milliseconds / 1000).toFixed(2).padStart(6)} s`);
afterAll(() => {
  if (table.length > 0) console.log(`What happened, and how long it took:\n${table.join('\n')}`);
});

const up = ['sh', '-c', 'echo up; exec sleep 1000'];

describe.skipIf(unavailable)('faults of the network', () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30 } });
  });
  afterAll(() => bed?.close());

  const start = (spec: Partial<MiniClusterSpec> & { size: number; cluster: string }) =>
    startMiniCluster(bed, { flux, command: up, ...spec });
  const ready = (pod: Pod, withinMs = 30_000) =>
    until(
      () => probe(pod, 'readyz').catch((error) => ({ ok: false, why: String(error) })),
      ({ ok }) => ok,
      { withinMs },
    );
  const runs = ([leader, ...rest]: readonly Pod[], withinMs: number) =>
    (leader as Pod).waitForOutput(/^up$/m, withinMs).catch((error) => {
      throw new Error(`${error.message}\n${logsOf(rest)}`);
    });
  const since = (startedAt: number) => performance.now() - startedAt;

  const comesLate = async (seconds: number) => {
    const publishAfter = seconds * 1000;
    const startedAt = performance.now();
    const pods = start({ size: 3, cluster: `late${seconds}`, pod: () => ({ publishAfter }) });
    await runs(pods, publishAfter + 30_000);
    record(`records ${seconds} s late: from the last record to the program`, since(startedAt) - publishAfter);
    // How long the brokers then take is the machine's affair.
    const waits = pods.slice(1).map((pod) => foundIn(pod).waitedMs);
    if (!waits.every((waitedMs) => waitedMs < publishAfter + 5000))
      throw new Error(`The followers waited ${waits} ms\n${logsOf(pods)}`);
  };

  it.each([0, 1, 5])('records that come %i s late cost little beyond', comesLate);

  /** All at the same time: most of it is waiting for the fault to be over. */
  describe.concurrent('that take their time', () => {
    it('records that come 40 s late cost little beyond', () => comesLate(40));

    it('a resolver that is silent for 40 s is asked with pauses, and found when it speaks', async ({
      expect,
    }) => {
      await using relay = await startRelay(bed.nameserver);
      const pods = start({ size: 2, cluster: 'silent', env: { FLUX_POD_NAMESERVERS: relay.target } });
      await (pods[0] as Pod).started;
      await passing(40_000);
      expect(relay.swallowed(), 'questions of one follower').toBeGreaterThan(5);
      expect(relay.swallowed()).toBeLessThan(150);
      relay.open();
      const startedAt = performance.now();
      await runs(pods, 30_000);
      record('a resolver that was silent for 40 s speaks: the program runs', since(startedAt));
      expect(since(startedAt), logsOf(pods)).toBeLessThan(8000);
    });

    it('a name that leads to the leader of another MiniCluster is no parent: the follower goes on looking', async ({
      expect,
    }) => {
      const others = start({ size: 2, cluster: 'other' });
      await (others[0] as Pod).waitForOutput(/^up$/m, 30_000);
      const startPod = miniCluster(bed, {
        flux,
        size: 2,
        cluster: 'misled',
        command: up,
        pod: (index) => (index === 0 ? { publishAfter: Number.POSITIVE_INFINITY } : {}),
      });
      const name = 'misled-0.flux-service.default.svc.cluster.local';
      bed.nameserver.publish(name, (others[0] as Pod).address);
      const [leader, follower] = [startPod(0), startPod(1)];
      await follower.waitForOutput(/not of this instance/, 15_000);
      bed.nameserver.withdraw(name, (others[0] as Pod).address);
      bed.nameserver.publish(name, leader.address);
      const startedAt = performance.now();
      await runs([leader, follower], 60_000);
      record(
        'a name that led to another MiniCluster’s leader is right again: the program runs',
        since(startedAt),
      );
      expect((await statusOf(others[0] as Pod)).broker, logsOf(others)).toMatchObject({
        state: 'run',
        restarts: 0,
      });
    });

    it('a link that is down for a minute takes nobody with it, and the pod is back by itself', async ({
      expect,
    }) => {
      const pods = start({ size: 2, cluster: 'unplugged' });
      const follower = pods[1] as Pod;
      await ready(follower);
      await runs(pods, 30_000);
      await follower.linkDown();
      const downAt = performance.now();
      await until(
        () => fluxPod(follower, 'probe', 'ready'),
        ({ code }) => code !== 0,
      );
      expect((await fluxPod(follower, 'probe', 'live')).code, 'still live').toBe(0);
      await passing(60_000 - since(downAt));
      await follower.linkUp();
      const startedAt = performance.now();
      // TCP doubles the time after which it sends again (RFC 6298): it may be half a minute by now.
      await ready(follower, 60_000);
      record('link down for a minute and up again: ready', since(startedAt));
      expect((await statusOf(pods[0] as Pod)).broker, logsOf(pods)).toMatchObject({
        state: 'run',
        restarts: 0,
      });
    });

    it.skipIf(lossUnavailable)(
      'one packet of five that is lost delays, and breaks nothing',
      async ({ expect }) => {
        const startedAt = performance.now();
        const command = ['sh', '-c', flux.real ? 'flux run -N4 hostname' : 'exit 0'];
        const pods = start({ size: 4, cluster: 'lossy', command });
        await Promise.all(pods.map((pod) => pod.started));
        await Promise.all(pods.map((pod) => pod.exec(['iptables', '-A', 'INPUT', ...lose])));
        expect(await exitCodes(pods), logsOf(pods)).toEqual([0, 0, 0, 0]);
        if (flux.real) expect(pods[0]?.stdout.trim().split('\n')).toHaveLength(4);
        record('packets lost, one of five: four pods from their start to their end', since(startedAt));
      },
    );

    it.skipIf(!fakeTime)(
      'a clock that jumps by a day, and back, is no fault of the parent or the broker',
      async ({ expect }) => {
        const clock = '/tmp/clock';
        const pods = start({
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
        await Promise.all(pods.map((pod) => ready(pod, 60_000)));
        for (const offset of ['+1d', '-1d']) {
          await Promise.all(pods.map((pod) => pod.exec(['sh', '-c', `echo ${offset} >${clock}`])));
          await passing(7000);
          for (const pod of pods) {
            expect(await probe(pod, 'livez'), `${pod.name} ${offset}\n${logsOf(pods)}`).toMatchObject({
              ok: true,
            });
            expect(await probe(pod, 'readyz'), `${pod.name} ${offset}\n${logsOf(pods)}`).toMatchObject({
              ok: true,
            });
            expect((await statusOf(pod)).broker?.restarts).toBe(0);
          }
        }
      },
    );
  });
});

function cannotLose(): string | undefined {
  if (!toolPath.split(':').some((directory) => existsSync(`${directory}/iptables`)))
    return 'It needs the program "iptables": install the package of that name';
  const trial = ['--net', 'iptables', '-A', 'INPUT', ...lose];
  const { status, stderr } = spawnSync('unshare', trial, { env: { PATH: toolPath }, encoding: 'utf8' });
  return status === 0 ? undefined : `iptables cannot lose packets here: ${stderr}`;
}
