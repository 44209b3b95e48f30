import { once } from 'node:events';
import { Agent, get as httpGet } from 'node:http';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentProc, openFiles } from '../../support/bed/agent-process.ts';
import { fluxPod, get, probe, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed, type PodSpec } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import {
  beginCluster,
  type ClusterSpec,
  isReady,
  type RunningCluster,
  startCluster,
} from '../../support/bed/running-cluster.ts';
import { exitCodes, firstChoice, miniCluster, standInFlux } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: health of whole pods. ${unavailable}`);

/** The pid of a pod's broker as the pod numbers it, from its status. */
const brokerPid = async (pod: Pod): Promise<number> => (await statusOf(pod)).broker?.pid ?? 0;

/** Sends a signal to the broker, and to all of its threads' one process. */
async function signalBroker(pod: Pod, signal: 'STOP' | 'CONT' | 'KILL'): Promise<void> {
  const { code, stderr } = await pod.exec(['kill', `-${signal}`, String(await brokerPid(pod))]);
  expect(code, stderr).toBe(0);
}

const noAnswer = { ok: false, why: '' };

/** Each question is a process. */
const askSlowly = { everyMs: 250 };

describe.skipIf(unavailable)('the health of pods', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed({ dns: { negativeTtl: 30 } });
  });
  afterAll(() => bed?.close());

  type Spec = Omit<ClusterSpec, 'flux'> & { flux?: ClusterSpec['flux'] };
  const begin = (spec: Spec) => beginCluster(bed, { flux, jobs: false, ...spec });
  const start = (spec: Spec) => startCluster(bed, { flux, jobs: false, ...spec });

  it('a pod that waits for its parent has started and lives, but is not ready, and says why', async () => {
    const startPod = miniCluster(bed, { flux, size: 2, cluster: 'waits', jobs: false, command: ['true'] });
    const waiting = startPod(1);
    await waiting.waitForOutput(/Waiting for the parent's name/);
    await until(
      () => probe(waiting, 'startupz').catch(() => noAnswer),
      ({ ok }) => ok,
    );
    expect(await probe(waiting, 'livez')).toMatchObject({ ok: true });
    const { answer } = await until(
      () => probe(waiting, 'readyz'),
      ({ why }) => /no such (name|service)/.test(why),
    );
    expect(answer.ok).toBe(false);
    expect((await fluxPod(waiting, 'status')).stdout).toMatch(
      /waiting for +the parent's name, seen: no such (name|service)/,
    );
    await waiting.kill();
  });

  it('a leader whose Job has too few completions names the pods that are missing: in its probe, log and doctor', async () => {
    await using mc = begin({ size: 2, cluster: 'few', env: { FLUX_POD_SIZE: '4' } });
    const missing =
      '2 of the 4 brokers of the quorum are online, not few-[2-3]: has the Job 4 completions, as FLUX_POD_SIZE says?';
    await until(
      () => probe(mc.leader, 'readyz').catch(() => noAnswer),
      ({ why }) => why === missing,
    );
    await mc.leader.waitForOutput(
      /Waiting for the quorum: 2 of the 4 .* not few-\[2-3\]: has the Job 4 completions/,
    );
    await until(
      () => fluxPod(mc.leader, 'doctor'),
      ({ stdout }) => stdout.includes(missing),
      askSlowly,
    );
  });

  describe('four pods', { concurrent: false }, () => {
    let mc: RunningCluster;
    let [leader, follower] = [] as unknown as [Pod, Pod];
    beforeAll(async () => {
      mc = await start({ size: 4, cluster: 'mc', jobs: true, env: { FLUX_POD_TOPO: 'kary:2' } });
      [leader, follower] = mc.pods as [Pod, Pod];
      await mc.ready();
    });
    afterAll(() => mc?.[Symbol.asyncDispose]());

    it('have passed every state of a broker, also those that were over before the agent watched', async () => {
      for (const pod of mc.pods) {
        // A follower is ready before the leader's program runs.
        const { answer } = await until(
          () => statusOf(pod),
          ({ broker }) => broker?.state === 'run',
        );
        const names = answer.broker?.states.map(({ name }) => name);
        expect(names, pod.name).toEqual(['load-builtins', 'join', 'config-sync', 'init', 'quorum', 'run']);
      }
    });

    it('say from outside and by exec the same: started, live, ready', async () => {
      for (const pod of [leader, follower]) {
        for (const name of ['startup', 'live', 'ready'] as const) {
          await until(
            () => probe(pod, `${name}z`),
            ({ ok }) => ok,
          );
          const { answer } = await until(
            () => fluxPod(pod, 'probe', name),
            ({ code }) => code === 0,
          );
          expect(answer.stdout.split('\n'), answer.stdout).toHaveLength(2);
        }
      }
      await until(
        () => probe(leader, 'readyz'),
        ({ why }) => why === 'the instance runs',
      );
    });

    it('show their tree, their broker and their parent in `flux-pod status`', async () => {
      // What a busy broker does not answer in time is left out.
      const rows = [
        /^instance +rank 0 of 4, quorum 4, topology kary:2$/m,
        /^overlay +0 mc-0: full\n +├─ 1 mc-1: full\n +│ {2}└─ 3 mc-3: full\n +└─ 2 mc-2: full$/m,
        /^resources +4 nodes, \d+ cores, 0 GPUs$/m,
      ];
      await until(
        () => fluxPod(leader, 'status'),
        ({ stdout, code }) => code === 0 && rows.every((row) => row.test(stdout)),
        askSlowly,
      );
      await until(
        () => fluxPod(follower, 'status'),
        ({ stdout }) => /^parent +rank 0, mc-0\.flux-service\S+, 10\.88\.\d+\.\d+:8050$/m.test(stdout),
        askSlowly,
      );
      const below = await until(
        async () => JSON.parse((await fluxPod(follower, 'status', '--json')).stdout),
        ({ overlay }) => overlay !== undefined,
        askSlowly,
      );
      expect(below.answer).toMatchObject({
        pod: { name: 'mc-1' },
        broker: { state: 'run', restarts: 0 },
        overlay: { rank: 1, children: [{ rank: 3, status: 'full' }] },
      });
    });

    it('give a shell and its environment', async () => {
      const inside = await fluxPod(follower, 'shell', '--', 'flux', 'getattr', 'rank');
      expect(inside).toMatchObject({ code: 0, stdout: '1\n' });
      expect((await fluxPod(follower, 'shell', '--', 'sh', '-c', 'exit 3')).code).toBe(3);
      expect((await fluxPod(follower, 'shell', '--', 'no-such-program')).code).toBe(127);
      const { stdout } = await fluxPod(follower, 'env');
      expect(stdout).toContain("export FLUX_URI='local:///run/flux-pod/run/flux/local'");
      const sourced = await follower.exec(['sh', '-c', `${stdout}\nflux getattr rank`]);
      expect(sourced.stdout).toBe('1\n');
    });

    it('find nothing to mend in `flux-pod doctor`, whose bundle holds no secret', async () => {
      const { stdout, code } = await fluxPod(follower, 'doctor', '--bundle', '/tmp/bundle.txt');
      expect(code, stdout).toBe(0);
      expect(stdout).not.toMatch(/^BAD/m);
      const bundle = await follower.exec(['sh', '-c', 'cat /tmp/bundle.txt; ls -l /tmp/bundle.txt']);
      expect(bundle.stdout).toMatch(/===== broker\.toml[\s\S]*-rw------- /);
      const certificate = (await follower.exec(['cat', '/run/flux-pod/curve.cert'])).stdout;
      const key = /secret-key = "(.{40})"/.exec(certificate)?.[1] ?? '';
      expect(key).toHaveLength(40);
      expect(bundle.stdout).not.toContain(key);
    });

    it('answer wrong requests in their place', async () => {
      expect((await get(leader, '/nothing')).status).toBe(404);
      const post = await fetch(`http://${leader.address}:8051/livez`, { method: 'POST', body: 'x' });
      expect(post.status).toBe(405);
      const headers = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`x-${n}`, 'y'.repeat(1000)]));
      expect((await fetch(`http://${leader.address}:8051/livez`, { headers })).status).toBe(431);
      expect((await fluxPod(leader, 'release')).code).toBe(64);
    });
  });

  // The agent's own, as what follows on memory is in `npm run bench -- health`: which broker it has does not matter.
  it('300 clients that send their headers a byte at a time are cut off, and before the last of them the kubelet is answered', async () => {
    await using mc = await start({ size: 1, cluster: 'slow', flux: standInFlux });
    await mc.ready();
    let cut = 0;
    const slow = Array.from({ length: 300 }, () => {
      const socket = createConnection({ host: mc.leader.address, port: 8051 });
      socket.on('error', () => undefined);
      socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      const drip = setInterval(() => socket.write('x'), 500);
      return new Promise<void>((resolve) =>
        socket.once('close', () => {
          clearInterval(drip);
          cut += 1;
          resolve();
        }),
      );
    });
    // Over a connection that is younger than theirs.
    const kubelet = httpGet({ host: mc.leader.address, port: 8051, path: '/livez', agent: false });
    const [answer] = await once(kubelet, 'response');
    expect(answer.resume().statusCode).toBe(200);
    expect(cut).toBeLessThan(300);
    await Promise.all(slow);
  });

  it('an agent that was probed 2,000 times over 16 connections holds no more files than before', async () => {
    await using mc = await start({ size: 1, cluster: 'probed', flux: standInFlux });
    await mc.ready();
    const proc = agentProc(mc.leader);
    const before = openFiles(proc);
    await flood(mc.leader, 2000);
    await until(
      async () => openFiles(proc),
      (now) => now <= before,
    );
  });

  it('a follower’s broker is stopped: not ready at once, not live after its time, and well again when it goes on', async () => {
    await using mc = await start({ size: 2, cluster: 'stopped' });
    await mc.ready();
    const follower = mc.pod(1);
    await signalBroker(follower, 'STOP');
    await until(
      () => probe(follower, 'readyz'),
      ({ ok }) => !ok,
    );
    expect((await probe(follower, 'livez')).ok).toBe(true);
    const dead = await until(
      () => probe(follower, 'livez'),
      ({ ok }) => !ok,
    );
    expect(dead.answer.why).toMatch(/the broker hangs: it has not answered for 1\d\.\d s/);
    expect((await probe(mc.leader, 'livez')).ok).toBe(true);
    await signalBroker(follower, 'CONT');
    await mc.ready();
    expect((await probe(follower, 'livez')).ok).toBe(true);
    expect(await mc.restarts(1)).toBe(0);
  });

  it('a follower’s broker is killed: not ready, live all the while, and it joins again', async () => {
    await using mc = await start({ size: 2, cluster: 'killed' });
    await mc.ready();
    const follower = mc.pod(1);
    const pid = await brokerPid(follower);
    // Its next broker waits for the leader's.
    await signalBroker(mc.leader, 'STOP');
    await signalBroker(follower, 'KILL');
    await until(
      () => probe(follower, 'readyz'),
      ({ ok }) => !ok,
    );
    await signalBroker(mc.leader, 'CONT');
    const again = await until(
      async () => ({ ready: await probe(follower, 'readyz'), live: await probe(follower, 'livez') }),
      ({ ready, live }) => {
        expect(live.ok, live.why).toBe(true);
        return ready.ok;
      },
    );
    expect(again.answer.ready.ok).toBe(true);
    expect((await statusOf(follower)).broker).toMatchObject({ restarts: 1 });
    expect(await brokerPid(follower)).not.toBe(pid);
  });

  it.each([
    ['its network goes', 1],
    ['the leader is unplugged', 0],
  ])('%s: a follower says that its parent is lost, and stays live', async (_, unplugged) => {
    await using mc = await start({ size: 2, cluster: `unplugged-${unplugged}`, heartbeat: '0.5s' });
    await mc.ready();
    const follower = mc.pod(1);
    await mc.pod(unplugged).linkDown();
    await until(
      () => fluxPod(follower, 'probe', 'ready'),
      ({ code, stdout }) => code !== 0 && /the parent is lost: no heartbeat for \d+\.\d s/.test(stdout),
      askSlowly,
    );
    expect(await fluxPod(follower, 'probe', 'live')).toMatchObject({ code: 0 });
    expect((await fluxPod(follower, 'status')).stdout).toMatch(/LOST: no heartbeat/);
    await mc.pod(unplugged).linkUp();
    await isReady(follower);
  });

  it('a failed pod is held for a person, says so, and ends with its own code when it is released', async () => {
    await using mc = begin({
      size: 1,
      cluster: 'held',
      env: { FLUX_POD_ON_FAILURE: 'hold' },
      command: ['sh', '-c', 'exit 9'],
    });
    const held = mc.leader;
    await held.waitForOutput(/the pod is held/);
    expect(await probe(held, 'livez')).toMatchObject({ ok: true });
    expect((await probe(held, 'readyz')).why).toMatch(/held/);
    expect((await fluxPod(held, 'release')).stdout).toBe('The pod ends now.\n');
    expect(await exitCodes(mc.pods), mc.logs()).toEqual([9]);
  });

  // Before the broker: which Flux it is does not matter.
  it.each<[string, Pick<PodSpec, 'env' | 'mounts'> & { size: number }, number, RegExp, RegExp]>([
    [
      'it has no certificate',
      { size: 2, env: { FLUX_POD_CURVE_CERT: '/nowhere/curve.cert' } },
      77,
      /there is no such file/,
      /curve\.cert/,
    ],
    [
      'there is no flux',
      { size: 1, env: { FLUX_POD_FLUX: '/nowhere/flux' } },
      72,
      /FLUX_POD_FLUX="\/nowhere\/flux": no executable flux is there/,
      /the prefix that it is installed in/,
    ],
    [
      'a hook fails, before anything else',
      {
        size: 1,
        mounts: { '/etc/flux-pod/hooks.d/init': { content: '#!/bin/sh\nexit 3\n', mode: 0o755 } },
      },
      75,
      /init failed: it exited with code 3/,
      /FLUX_POD_HOOKS/,
    ],
  ])(
    'a pod that has failed because %s is held with its hint, serves its probes, and is released',
    async (what, { size, env = {}, mounts = {} }, code, why, hint) => {
      await using mc = begin({
        size,
        flux: standInFlux,
        cluster: `held-${code}`,
        env: { FLUX_POD_ON_FAILURE: 'hold', ...env },
        command: ['true'],
        pod: () => ({ mounts }),
      });
      await Promise.all(
        mc.pods.map(async (held) => {
          const [line] = await held.waitForOutput(/^.*the pod is held, `flux-pod release` ends it.*$/m);
          expect(JSON.parse(line).msg, what).toMatch(why);
          expect(JSON.parse(line).hint).toMatch(hint);
          for (const name of ['startupz', 'livez'] as const)
            expect(await probe(held, name)).toMatchObject({ ok: true });
          expect(await probe(held, 'readyz')).toMatchObject({
            ok: false,
            why: expect.stringMatching(/held/),
          });
          expect((await fluxPod(held, 'status')).stdout).toMatch(why);
          expect(await fluxPod(held, 'release')).toMatchObject({ code: 0, stdout: 'The pod ends now.\n' });
        }),
      );
      expect(await exitCodes(mc.pods), mc.logs()).toEqual(Array(size).fill(code));
    },
  );

  it('a pod that is held without a run-time directory serves its probes and says that a signal ends it', async () => {
    await using mc = begin({
      size: 1,
      flux: standInFlux,
      cluster: 'held-nowhere',
      env: { FLUX_POD_ON_FAILURE: 'hold', FLUX_POD_DIR: '/proc/flux-pod' },
      command: ['true'],
    });
    await mc.leader.waitForOutput(/the pod is held, only a signal ends it/);
    expect(await probe(mc.leader, 'startupz')).toMatchObject({ ok: true });
    await mc.leader.signal('SIGTERM');
    expect(await exitCodes(mc.pods), mc.logs()).toEqual([78]);
  });

  it('a held pod ends by itself when its time is up', async () => {
    await using mc = begin({
      size: 1,
      cluster: 'held-briefly',
      env: { FLUX_POD_ON_FAILURE: 'hold:300ms' },
      command: ['false'],
    });
    expect(await exitCodes(mc.pods), mc.logs()).toEqual([1]);
  });
});

/** That many probes over 16 connections. */
async function flood(pod: Pod, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const one = () =>
    new Promise<void>((resolve, reject) => {
      httpGet({ agent, host: pod.address, port: 8051, path: '/readyz' }, (response) => {
        response.resume().once('end', resolve).once('error', reject);
      }).once('error', reject);
    });
  let left = count;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left-- > 0) await one();
    }),
  );
  agent.destroy();
}
