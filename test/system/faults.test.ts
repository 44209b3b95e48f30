import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, agentProc, heldKb, openFiles } from '../support/agent-process.ts';
import { fluxPod, probe, statusOf, until } from '../support/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../support/bed.ts';
import {
  everyFlux,
  exitCodes,
  installFluxPod,
  isFirstChoice,
  logsOf,
  type MiniClusterSpec,
  miniCluster,
} from '../support/flux-pod.ts';
import type { Pod } from '../support/pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: faults of whole pods. ${unavailable}`);

/** What happened and how long it took, to be read at the end. */
const table: string[] = [];
const record = (flux: string, what: string, milliseconds: number) =>
  table.push(`${flux.padEnd(14)} ${what.padEnd(72)} ${(milliseconds / 1000).toFixed(2).padStart(6)} s`);
afterAll(() => {
  if (table.length > 0) console.log(`What happened, and how long it took:\n${table.join('\n')}`);
});

const up = ['sh', '-c', 'echo up; exec sleep 1000'];

describe.skipIf(unavailable).each(everyFlux())('faults with $name', (flux) => {
  let bed: Bed;
  let pods: Pod[] = [];
  let startPod: (index: number) => Pod = () => {
    throw new Error('no MiniCluster yet');
  };
  beforeEach(async () => {
    // Both denials and answers are kept, dead ones too, as CoreDNS keeps them.
    bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30 } });
  });
  afterEach(() => bed?.close());

  function begin(spec: Partial<MiniClusterSpec> & { size: number }): void {
    startPod = miniCluster(bed, { flux, command: up, ...spec });
    pods = Array.from({ length: spec.size }, (_, index) => startPod(index));
  }
  /** Starts a MiniCluster and waits until its program runs. Resolves to how long that took. */
  async function start(spec: Partial<MiniClusterSpec> & { size: number }): Promise<number> {
    const startedAt = performance.now();
    begin(spec);
    await leader().waitForOutput(/^up$/m, 60_000);
    return since(startedAt);
  }
  const leader = () => pods[0] as Pod;
  const replace = (index: number) => {
    pods[index] = startPod(index);
    return pods[index] as Pod;
  };
  const ready = (pod: Pod, withinMs = 30_000) =>
    until(
      () => probe(pod, 'readyz').catch((error) => ({ ok: false, why: String(error) })),
      ({ ok }) => ok,
      { withinMs },
    );
  const stopAll = () => Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
  const everyoneReady = () => Promise.all(pods.map((pod) => ready(pod)));
  const since = (startedAt: number) => performance.now() - startedAt;

  it('a leader pod that is killed and replaced has its followers back by itself', async () => {
    const startedAt = performance.now();
    await start({ size: 4 });
    await everyoneReady();
    record(flux.name, 'four pods start and run', since(startedAt));
    await leader().remove();
    const replacedAt = performance.now();
    await replace(0).waitForOutput(/^up$/m, 30_000);
    const took = since(replacedAt);
    record(flux.name, 'leader pod killed and replaced: the instance runs again', took);
    await everyoneReady();
    expect(took, logsOf(pods)).toBeLessThan(10_000);
    for (const follower of pods.slice(1)) expect((await statusOf(follower)).broker?.restarts).toBe(1);
    await stopAll();
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143, 143, 143]);
  });

  it.each([
    ['before its broker starts', /Phase prepare/],
    ['while its broker starts', /->init/],
  ])('a leader pod that is killed %s is replaced, and the instance comes up', async (when, sign) => {
    begin({ size: 4 });
    await leader().waitForOutput(sign, 60_000);
    await leader().remove();
    const replacedAt = performance.now();
    await replace(0).waitForOutput(/^up$/m, 60_000);
    record(flux.name, `leader pod killed ${when}, and replaced: the instance runs`, since(replacedAt));
    await everyoneReady();
    await stopAll();
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143, 143, 143]);
  });

  it('a leader pod that is stopped, as by `kubectl delete pod`, has its followers back when it is replaced', async () => {
    await start({ size: 4, env: { FLUX_POD_TOPO: 'kary:2' } });
    await everyoneReady();
    await leader().signal('SIGTERM');
    expect(await leader().exited, leader().stderr).toEqual({ code: 143 });
    await leader().remove();
    const startedAt = performance.now();
    await replace(0).waitForOutput(/^up$/m, 30_000);
    record(flux.name, 'leader pod stopped and replaced: the instance runs again', since(startedAt));
    await everyoneReady();
    await stopAll();
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143, 143, 143]);
  });

  it('an interior pod that is stopped alone takes nobody with it', async () => {
    await start({ size: 4, env: { FLUX_POD_TOPO: 'kary:1' } });
    await everyoneReady();
    await pods[1]?.signal('SIGTERM');
    expect(await pods[1]?.exited).toEqual({ code: 143 });
    await pods[1]?.remove();
    const startedAt = performance.now();
    replace(1);
    await everyoneReady();
    await until(
      async () => (await statusOf(leader())).broker?.online,
      (online) => online === 4,
    );
    record(flux.name, 'interior pod stopped and replaced: all four are online again', since(startedAt));
  });

  it('an interior pod of the tree that is killed and replaced takes its subtree back', async () => {
    await start({ size: 7, env: { FLUX_POD_TOPO: 'kary:2' } });
    await everyoneReady();
    await pods[1]?.remove();
    const startedAt = performance.now();
    replace(1);
    await ready(pods[1] as Pod);
    await until(
      async () => (await statusOf(leader())).broker?.online,
      (online) => online === 7,
    );
    record(flux.name, 'interior pod killed and replaced: all seven are online again', since(startedAt));
    for (const below of [3, 4]) expect((await statusOf(pods[below] as Pod)).broker?.restarts).toBe(1);
    for (const beside of [2, 5, 6]) expect((await statusOf(pods[beside] as Pod)).broker?.restarts).toBe(0);
    await stopAll();
    expect(await exitCodes(pods), logsOf(pods)).toEqual(Array(7).fill(143));
  });

  it('a follower pod that is killed and replaced joins again, and the others never notice', async () => {
    await start({ size: 3 });
    await everyoneReady();
    await pods[2]?.remove();
    expect((await probe(leader(), 'livez')).ok).toBe(true);
    const startedAt = performance.now();
    await ready(replace(2));
    record(flux.name, 'follower pod killed and replaced: it has joined', since(startedAt));
    expect((await statusOf(leader())).broker?.restarts).toBe(0);
    expect((await statusOf(pods[1] as Pod)).broker?.restarts).toBe(0);
  });

  it('a leader’s broker that is killed ends the instance, and all pods say so with one code', async () => {
    await start({ size: 4, env: { FLUX_POD_TOPO: 'kary:1' } });
    await everyoneReady();
    const { broker } = await statusOf(leader());
    const startedAt = performance.now();
    await leader().exec(['kill', '-KILL', String(broker?.pid)]);
    expect(await exitCodes(pods), logsOf(pods)).toEqual([137, 137, 137, 137]);
    record(flux.name, 'leader’s broker killed: four pods in a chain have ended with 137', since(startedAt));
  });

  it('the code of the program is the code of every pod, however deep in the tree', async () => {
    startPod = miniCluster(bed, {
      flux,
      size: 5,
      env: { FLUX_POD_TOPO: 'kary:1' },
      command: ['sh', '-c', 'exit 7'],
    });
    pods = Array.from({ length: 5 }, (_, index) => startPod(index));
    expect(await exitCodes(pods), logsOf(pods)).toEqual([7, 7, 7, 7, 7]);
  });

  it.runIf(flux.real)(
    'a leader whose broker cannot start says why, and its followers exit with the same code',
    async () => {
      const rc1 = { '/tmp/rc1': { content: "#!/bin/sh\nsleep 2; echo 'no way' >&2; exit 1\n", mode: 0o755 } };
      begin({
        size: 3,
        pod: (index) =>
          index === 0 ? { mounts: rc1, env: { FLUX_POD_BROKER_OPTIONS: '-Sbroker.rc1_path=/tmp/rc1' } } : {},
      });
      expect(await exitCodes(pods), logsOf(pods)).toEqual([71, 71, 71]);
      const why = 'The broker could not start: rc1 exited with code 1: no way';
      expect(leader().terminationLog()).toBe(`${why} (exit 71)\n`);
      expect(pods[2]?.terminationLog()).toBe(`The instance has ended. Its leader: ${why} (exit 71)\n`);
    },
  );

  it('SIGTERM to all pods at once, with a job running: every process is gone in seconds, with 143', async () => {
    const startTook = await start({ size: 4, command: ['sh', '-c', 'echo up; flux run -N4 sleep 1000'] });
    await everyoneReady();
    const startedAt = performance.now();
    await Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143, 143, 143]);
    const took = since(startedAt);
    record(flux.name, 'SIGTERM to all four pods with a job running: all have ended', took);
    // Where the machine is so busy that the start takes longer, the end may too.
    expect(took).toBeLessThan(Math.max(5000, 2 * startTook));
  });

  it('SIGTERM to one follower: it leaves, the others go on, and what comes in its place takes jobs', async () => {
    await start({ size: 3 });
    await everyoneReady();
    const startedAt = performance.now();
    await pods[2]?.signal('SIGTERM');
    expect(await pods[2]?.exited, logsOf(pods)).toEqual({ code: 143 });
    record(flux.name, 'SIGTERM to one follower: it has left', since(startedAt));
    await pods[2]?.remove();
    expect((await probe(leader(), 'readyz')).ok).toBe(true);
    await ready(replace(2));
    if (!flux.real) return;
    const job = async () => (await fluxPod(leader(), 'shell', '--', 'flux', 'run', '-N3', 'hostname')).stdout;
    const { answer } = await until(job, (said) => said.includes('mc-2'));
    expect(answer.trim().split('\n').sort()).toEqual(['mc-0', 'mc-1', 'mc-2']);
  });

  it('a second SIGTERM is passed on, and the grace period ends what does not end', async () => {
    await start({
      size: 1,
      env: { FLUX_POD_GRACE: '1s' },
      command: ['sh', '-c', "trap '' TERM HUP; echo up; sleep 1000 & while :; do wait; done"],
    });
    const startedAt = performance.now();
    await leader().signal('SIGTERM');
    await stopAll();
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143]);
    record(
      flux.name,
      'SIGTERM to a program that ignores it, FLUX_POD_GRACE=1s: it has ended',
      since(startedAt),
    );
    expect(since(startedAt)).toBeLessThan(4000);
  });

  it('a follower whose parent has gone stops within its own time', async () => {
    await start({ size: 2 });
    await everyoneReady();
    await leader().remove();
    const startedAt = performance.now();
    await pods[1]?.signal('SIGTERM');
    expect(await pods[1]?.exited).toEqual({ code: 143 });
    record(flux.name, 'SIGTERM to a follower whose leader has gone: it has ended', since(startedAt));
    expect(since(startedAt)).toBeLessThan(8000);
  });

  it('an agent that is killed takes its broker with it', async () => {
    await start({ size: 2 });
    await leader().exec(['kill', '-KILL', String(agentOf(leader()).pid)]);
    expect(await leader().exited).toEqual({ code: 137 });
    expect(leader().processes()).toEqual([]);
  });

  it.runIf(isFirstChoice(flux))(
    'a link that is down for ten seconds costs nothing: the broker is the same afterwards',
    async () => {
      await start({ size: 2 });
      await everyoneReady();
      const follower = pods[1] as Pod;
      await follower.linkDown();
      await until(
        () => fluxPod(follower, 'probe', 'ready'),
        ({ code }) => code !== 0,
      );
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await follower.linkUp();
      const startedAt = performance.now();
      await ready(follower);
      record(flux.name, 'link down for ten seconds and up again: ready', since(startedAt));
      expect((await statusOf(follower)).broker?.restarts, follower.stderr).toBe(0);
    },
  );

  it.runIf(flux.real)(
    'the job queue survives a leader pod that is killed, in its state directory',
    async () => {
      const state = mkdtempSync(join(tmpdir(), 'flux-pod-state-'));
      try {
        const command = [
          'sh',
          '-c',
          'flux submit --cc=1-3 --urgency=hold true >/dev/null; flux jobs -no "{name}" | wc -l; echo up; exec sleep 1000',
        ];
        const checkpoints = { '/etc/broker.toml': { content: '[kvs]\ncheckpoint-period = "200ms"\n' } };
        const env = {
          FLUX_POD_STATE_DIR: '/state',
          FLUX_POD_DIR: '/state/run',
          FLUX_POD_BROKER_CONFIG: '/etc/broker.toml',
        };
        const pod = (index: number) =>
          index === 0 ? { volumes: { '/state': state }, env, mounts: checkpoints } : {};
        await start({ size: 2, command, pod });
        expect(leader().stdout).toMatch(/^3$/m);
        const saved = 'flux dump --checkpoint - 2>/dev/null | tar t | grep -c "/jobspec"';
        const inCheckpoint = async () =>
          (
            await fluxPod(leader(), 'shell', '--dir', env.FLUX_POD_DIR, '--', 'sh', '-c', saved)
          ).stdout.trim();
        await until(inCheckpoint, (count) => count === '3');
        await leader().remove();
        await replace(0).waitForOutput(/^up$/m, 60_000);
        expect(leader().stdout, leader().stderr).toMatch(/^6$/m);
        await stopAll();
        await exitCodes(pods);
      } finally {
        rmSync(state, { recursive: true, force: true });
      }
    },
  );

  it('a run-time directory on a full disk is said, with 78', async () => {
    const run = join(installFluxPod(), 'flux-pod');
    const fill =
      'mkdir /tmp/full; mount -t tmpfs -o size=4k tmpfs /tmp/full; head -c 4096 /dev/zero >/tmp/full/x';
    startPod = miniCluster(bed, {
      flux,
      size: 1,
      command: [],
      pod: () => ({
        command: ['sh', '-c', `${fill}; exec ${run} run -- true`],
        env: { FLUX_POD_DIR: '/tmp/full' },
      }),
    });
    pods = [startPod(0)];
    expect(await exitCodes(pods), logsOf(pods)).toEqual([78]);
    expect(leader().terminationLog()).toMatch(/Cannot .*\/tmp\/full.*ENOSPC/);
  });

  it('a certificate that comes later: the pod ends with 77 and a word, and joins when it is started again', async () => {
    startPod = miniCluster(bed, { flux, size: 2, command: up });
    pods = [startPod(0)];
    const early = bed.startPod({
      cluster: 'mc',
      index: 1,
      command: [join(installFluxPod(), 'flux-pod'), 'run', '--', ...up],
      env: { FLUX_POD_SIZE: '2', FLUX_POD_FLUX: flux.path },
    });
    expect(await early.exited, early.stderr).toEqual({ code: 77 });
    expect(early.terminationLog()).toMatch(/curve\.cert/);
    await early.remove();
    pods.push(startPod(1));
    await leader().waitForOutput(/^up$/m, 30_000);
  });

  // `RESTARTS=200 npx vitest ...` takes minutes.
  const inARow = Number(process.env.RESTARTS ?? 5);
  it.runIf(isFirstChoice(flux))(
    'a broker that is killed again and again is started again and again, and the agent holds no more than before',
    {
      timeout: 120_000 + inARow * 3000,
    },
    async () => {
      await start({ size: 2 });
      const follower = pods[1] as Pod;
      const proc = agentProc(follower);
      await ready(follower);
      const before = { files: openFiles(proc), kb: heldKb(proc, 'RssAnon') };
      const startedAt = performance.now();
      for (let restarts = 1; restarts <= inARow; restarts++) {
        const { broker } = await statusOf(follower);
        await follower.exec(['kill', '-KILL', String(broker?.pid)]);
        await until(
          () => statusOf(follower),
          (now) => now.broker?.restarts === restarts && now.broker.state === 'run',
        );
      }
      record(
        flux.name,
        `a follower’s broker killed ${inARow} times in a row: it runs again after the last`,
        since(startedAt),
      );
      await until(
        async () => openFiles(proc),
        (now) => now <= before.files,
      );
      expect(heldKb(proc, 'RssAnon') - before.kb).toBeLessThan(8 * 1024);
      expect((await statusOf(leader())).broker?.restarts).toBe(0);
    },
  );

  it('two pods of one index: the second never becomes ready, and the instance goes on', async () => {
    await start({ size: 2 });
    await everyoneReady();
    const twin = startPod(0);
    await until(
      () => probe(twin, 'readyz').catch(() => ({ ok: false, why: '' })),
      ({ why }) => /quorum/.test(why),
    );
    expect((await probe(leader(), 'readyz')).ok).toBe(true);
    expect((await statusOf(pods[1] as Pod)).broker).toMatchObject({ state: 'run', restarts: 0 });
  });
});
