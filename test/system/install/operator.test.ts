import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { fluxPod, probe, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { operatorMounts } from '../../support/manifests/operator-pod.ts';
import {
  exitCodes,
  type Flux,
  firstChoice,
  installFluxPod,
  logsOf,
  standInFlux,
  withoutCleanup,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: pods of the Flux Operator. ${unavailable}`);

const certificate = formatCertificate(createCertificate({ name: 'mc' }));

const fluxPodPath = join(installFluxPod(), 'flux-pod');
const operatorUri = 'local:///mnt/flux/config/run/flux/local';
const asGuest = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];

/** The container with the wait script is the pod, or one of two that the pod outlives. */
const containers = {
  run: 'exec /bin/bash /flux_operator/wait-0.sh',
  attach: '/bin/bash /flux_operator/wait-0.sh; echo "the wait script has ended with $?"; exec sleep 1000',
};

describe.skipIf(unavailable)('in pods of the Flux Operator', { concurrent: true }, () => {
  const flux = firstChoice();

  /** Two pods as the Operator makes them for a MiniCluster of docs/flux-operator.md. */
  function startPods(
    bed: Bed,
    kind: 'attach' | 'run',
    edit: (waitScript: string) => string,
    env = {},
  ): Pod[] {
    return [0, 1].map((index) =>
      bed.startPod({
        cluster: 'mc',
        service: 'mc',
        index,
        command: ['sh', '-c', containers[kind]],
        env: { PATH: pathOf(flux), ...withoutCleanup, ...env },
        mounts: {
          ...operatorMounts(kind, certificate, edit),
          '/run/program': { content: '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.1; done\n', mode: 0o755 },
        },
      }),
    );
  }

  const pathOf = ({ path }: Flux) => [join(path, '..'), installFluxPod(), '/usr/bin:/bin'].join(':');

  const withFluxPod = (command: string) => (script: string) =>
    script.replace('command="flux run -N2 hostname"', `command="${command}"`);

  it.each<[string, Flux, string, Record<string, string>]>([
    ['without a single variable', flux, 'flux run -N2 hostname', {}],
    ['for a job over all nodes', standInFlux, 'hostname', { FLUX_POD_MODE: 'submit' }],
  ])('flux-pod run takes the place of the wait script %s', async (_, flux, command, env) => {
    await using bed = await createBed();
    const pods = startPods(bed, 'run', withFluxPod(command), { ...env, PATH: pathOf(flux) });
    expect(await exitCodes(pods), logsOf(pods)).toEqual([0, 0]);
    const [leader] = pods as [Pod];
    expect(leader.stdout).toMatch(/^mc-0$/m);
    expect(leader.stdout).toMatch(/^mc-1$/m);
  });

  it('flux-pod config says what it has read where, and the Operator’s users find the socket', async () => {
    await using bed = await createBed();
    const pods = startPods(bed, 'run', withFluxPod('/run/program'));
    const [leader, follower] = pods as [Pod, Pod];
    await until(
      () => probe(leader, 'readyz').catch(() => ({ ok: false, why: '' })),
      ({ ok }) => ok,
    );
    const { stdout } = await fluxPod(follower, 'config');
    const layout = (path: string) => `the Operator's layout (${path})`;
    const sourceOf = (name: string) =>
      new RegExp(`^FLUX_POD_${name} +(\\S+) +(.+?) *$`, 'm').exec(stdout)?.slice(1);
    expect(sourceOf('SIZE')).toEqual(['2', layout('/flux_operator/wait-0.sh')]);
    expect(sourceOf('MAX_SIZE')).toEqual(['3', layout('/mnt/flux/config/etc/flux/system/hostlist')]);
    expect(sourceOf('CURVE_CERT')).toEqual([
      '/flux_operator/curve.cert',
      layout('/flux_operator/curve.cert'),
    ]);
    expect(sourceOf('SERVICE')).toEqual(['mc', 'the pod']);
    expect(stdout).toMatch(/allow-guest-user = true/);
    expect(stdout).not.toMatch(/system\/R"/);
    expect(stdout).toMatch(/^# \/run\/flux-pod\/broker\.toml$/m);
    expect((await fluxPod(follower, 'doctor')).stdout).toMatch(/^warn +certificate .*it is in a ConfigMap$/m);
    const asked = await follower.exec(['env', `FLUX_URI=${operatorUri}`, 'flux', 'getattr', 'rank']);
    expect(asked).toMatchObject({ code: 0, stdout: '1\n' });
    // The program is the leader's alone.
    await leader.exec(['touch', '/run/go']);
    expect(await exitCodes(pods), logsOf(pods)).toEqual([0, 0]);
  });

  // The stand-in has no `flux start`, which the script of the Operator uses.
  it.skipIf(!flux.real)(
    'flux-pod attach finds the broker of the wait script, and ends when that has ended',
    async () => {
      await using bed = await createBed();
      const pods = startPods(bed, 'attach', (script) =>
        script.replace('command="hostname"', 'command="/run/program"'),
      );
      const [leader, follower] = pods as [Pod, Pod];
      await Promise.all(pods.map((pod) => pod.started));
      const attached = pods.map((pod) => fluxPod(pod, 'attach'));
      // Both run before the program may end: so both scripts end with the instance.
      for (const pod of pods)
        await until(
          () => statusOf(pod).catch(() => undefined),
          (status) =>
            status?.broker?.state === 'run' &&
            (pod === leader ? status.instance?.topology : status.parent?.name) !== undefined,
        );
      expect(await statusOf(leader)).toMatchObject({
        attachment: { socket: '/mnt/flux/config/run/flux/local' },
        instance: { rank: 0, size: 2, quorum: 2, topology: 'kary:256' },
      });
      expect(await statusOf(follower)).toMatchObject({
        instance: { rank: 1 },
        parent: { rank: 0, name: 'mc-0.mc.default.svc.cluster.local', lost: false },
      });
      // Neither container of a pod waits for the other: the pod completes.
      await Promise.all(pods.map((pod) => pod.exec(['touch', '/run/go'])));
      for (const { code, stderr } of await Promise.all(attached)) {
        expect(code, stderr).toBe(0);
        expect(stderr).toMatch(/There is no broker any more: the Flux Operator's wait script has ended/);
      }
      for (const pod of pods) await pod.waitForOutput(/^the wait script has ended with 0$/m);
    },
  );

  it.skipIf(!flux.real)(
    'flux-pod attach as a guest that can write nowhere is never ready, and ends with 0 when the wait script has ended',
    async () => {
      await using bed = await createBed();
      const pods = startPods(bed, 'attach', (script) =>
        script.replace('command="hostname"', 'command="/run/program"'),
      );
      await Promise.all(pods.map((pod) => pod.started));
      const attached = pods.map((pod) =>
        pod.exec([...asGuest, 'env', 'FLUX_POD_DIR=/mnt/flux/agent', fluxPodPath, 'attach']),
      );
      const refusal = /only user 0, its owner, may watch the broker, not user 1000$/;
      const readiness = (pod: Pod) => probe(pod, 'readyz').catch(() => ({ ok: false, why: '' }));
      // Beside brokers from before they are there until they run.
      const isRunning = async (pod: Pod) =>
        (await pod.exec(['env', `FLUX_URI=${operatorUri}`, 'flux', 'uptime'])).stdout.includes(' run ');
      const isRefused = (pod: Pod) =>
        until(
          async () => {
            const said = await readiness(pod);
            expect(said, 'a guest gets what it may not see').toMatchObject({ ok: false });
            return said;
          },
          ({ why }) => refusal.test(why),
        );
      for (const pod of pods) await isRefused(pod);
      for (const pod of pods) await until(() => isRunning(pod), Boolean);
      for (const pod of pods) await isRefused(pod);
      await Promise.all(pods.map((pod) => pod.exec(['touch', '/run/go'])));
      for (const { code, stderr } of await Promise.all(attached)) {
        expect(code, stderr).toBe(0);
        expect(stderr).toMatch(/Cannot use the run-time directory \/mnt\/flux\/agent: EACCES/);
        expect(stderr).toMatch(/There is no broker any more: the Flux Operator's wait script has ended/);
      }
    },
  );

  it('flux-pod attach with a wrong setting ends with 78, and with 0 when the wait script has ended', async () => {
    await using bed = await createBed();
    const pod = bed.startPod({
      cluster: 'mc',
      service: 'mc',
      index: 0,
      command: ['sleep', '1000'],
      mounts: { '/mnt/flux/.keep': { content: '' } },
    });
    await pod.started;
    const attach = () => pod.exec(['env', 'FLUX_POD_HTTP=here', fluxPodPath, 'attach']);
    expect(await attach()).toMatchObject({ code: 78, stderr: expect.stringContaining('FLUX_POD_HTTP') });
    await pod.exec(['touch', '/mnt/flux/flux-operator-complete.txt']);
    expect(await attach()).toMatchObject({ code: 0, stderr: expect.stringContaining('FLUX_POD_HTTP') });
  });
});
