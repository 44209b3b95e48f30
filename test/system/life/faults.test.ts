import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentOf, agentProc, openFiles } from '../../support/bed/agent-process.ts';
import { fluxPod, probe, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import {
  beginCluster,
  brokerOf,
  type ClusterSpec,
  isReady,
  isUnready,
  type RunningCluster,
  startCluster,
} from '../../support/bed/running-cluster.ts';
import {
  everyFlux,
  type Flux,
  firstChoice,
  installFluxPod,
  standInFlux,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: faults of whole pods. ${unavailable}`);

/** What happened and how long it took, to be read at the end. */
const table: string[] = [];
const record = (what: string, since: number, { name }: Flux = firstChoice()) => {
  const seconds = ((performance.now() - since) / 1000).toFixed(2).padStart(6);
  table.push(`${name.padEnd(14)} ${what.padEnd(72)} ${seconds} s`);
};
afterAll(() => {
  if (table.length > 0) console.log(`What happened, and how long it took:\n${table.join('\n')}`);
});

/** A chain: rank 0, which has rank 1 below it, which has rank 2 below it. */
const chain = { FLUX_POD_TOPO: 'kary:1' };
const stopped = (count: number): number[] => Array(count).fill(143);

/** What the parts decide is in the tables of test/lifecycle; here the parts, the network and a broker come together. */
describe.skipIf(unavailable)('faults of whole pods', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    // Answers and negative answers of a cache outlive each test: where a pod waits for the end of a TTL, its test fails.
    bed = await createBed({ dns: { negativeTtl: 3600, positiveTtl: 3600 } });
  });
  afterAll(() => bed?.close());

  type Spec = Omit<ClusterSpec, 'flux'> & { flux?: Flux };
  const begin = (spec: Spec) => beginCluster(bed, { flux, jobs: false, ...spec });
  const start = (spec: Spec) => startCluster(bed, { flux, jobs: false, ...spec });
  const run = (pod: RunningCluster['leader'], ...command: string[]) =>
    fluxPod(pod, 'shell', '--', 'flux', 'run', ...command);

  it.each(everyFlux())(
    'a leader pod that is killed and replaced has its followers back by itself, with $name',
    async (flux) => {
      const startedAt = performance.now();
      await using mc = await start({ cluster: `killed-${flux.real ? 'r' : 's'}`, size: 3, flux });
      await mc.ready();
      record('three pods start and run', startedAt, flux);
      await mc.leader.remove();
      const replacedAt = performance.now();
      mc.replace(0);
      await mc.up();
      record('leader pod killed and replaced: the instance runs again', replacedAt, flux);
      await mc.ready();
      for (const index of [1, 2]) expect(await mc.restarts(index)).toBe(1);
      expect(await mc.stop(), mc.logs()).toEqual(stopped(3));
    },
  );

  it.each([
    ['before its broker starts', 'early', '/etc/flux-pod/hooks.d/pre', {}],
    [
      'while its broker starts',
      'amid',
      '/etc/rc1',
      { FLUX_POD_BROKER_OPTIONS: '-Sbroker.rc1_path=/etc/rc1' },
    ],
  ])(
    'a leader pod that is killed %s is replaced, and the instance comes up',
    async (when, cluster, at, env) => {
      const stuck = { [at]: { content: '#!/bin/sh\necho it is stuck >&2; exec sleep 1000\n', mode: 0o755 } };
      let first = true;
      await using mc = begin({
        cluster,
        size: 2,
        pod: (index) => {
          if (index > 0 || !first) return {};
          first = false;
          return { mounts: stuck, env };
        },
      });
      // The stand-in has no rc1.
      await mc.leader.waitForOutput(flux.real || cluster === 'early' ? /it is stuck/ : /->init/);
      await mc.leader.remove();
      const replacedAt = performance.now();
      mc.replace(0);
      await mc.up();
      record(`leader pod killed ${when}, and replaced: the instance runs`, replacedAt);
      await mc.ready();
      expect(await mc.stop(), mc.logs()).toEqual(stopped(2));
    },
  );

  it('a leader pod that is stopped, as by `kubectl delete pod`, has its followers back when it is replaced', async () => {
    await using mc = await start({ cluster: 'deleted', size: 3, env: chain });
    await mc.ready();
    await mc.leader.signal('SIGTERM');
    expect(await mc.leader.exited, mc.leader.stderr).toEqual({ code: 143 });
    await mc.leader.remove();
    const startedAt = performance.now();
    mc.replace(0);
    await mc.up();
    record('leader pod stopped and replaced: the instance runs again', startedAt);
    await mc.ready();
    expect(await mc.stop(), mc.logs()).toEqual(stopped(3));
  });

  it('an interior pod that is stopped alone stops no other pod', async () => {
    await using mc = await start({ cluster: 'interior', size: 3, env: chain });
    await mc.ready();
    await mc.pod(1).signal('SIGTERM');
    expect(await mc.pod(1).exited).toEqual({ code: 143 });
    await mc.pod(1).remove();
    const startedAt = performance.now();
    mc.replace(1);
    await mc.restarted(2);
    await mc.online(3);
    record('interior pod stopped and replaced: all three are online again', startedAt);
    expect(await mc.restarts(0)).toBe(0);
  });

  it('an interior pod of the tree that is killed and replaced takes its subtree back', async () => {
    await using mc = await start({ cluster: 'subtree', size: 5, env: { FLUX_POD_TOPO: 'kary:2' } });
    await mc.ready();
    await mc.pod(1).remove();
    const startedAt = performance.now();
    mc.replace(1);
    await mc.restarted(3, 4);
    await mc.online(5);
    record('interior pod killed and replaced: all five are online again', startedAt);
    for (const below of [3, 4]) expect(await mc.restarts(below)).toBe(1);
    for (const beside of [0, 2]) expect(await mc.restarts(beside)).toBe(0);
    expect(await mc.stop(), mc.logs()).toEqual(stopped(5));
  });

  it('a follower pod that is killed and replaced joins again, and no other broker restarts', async () => {
    await using mc = await start({ cluster: 'follower', size: 3 });
    await mc.ready();
    await mc.pod(2).remove();
    expect((await probe(mc.leader, 'livez')).ok).toBe(true);
    const startedAt = performance.now();
    await isReady(mc.replace(2));
    record('follower pod killed and replaced: it has joined', startedAt);
    for (const other of [0, 1]) expect(await mc.restarts(other)).toBe(0);
  });

  it('a leader’s broker that is killed ends the instance, and all pods say so with one code', async () => {
    await using mc = await start({ cluster: 'broker', size: 3, env: chain });
    await mc.linked(1, 2);
    const { broker } = await statusOf(mc.leader);
    const startedAt = performance.now();
    await mc.leader.exec(['kill', '-KILL', String(broker?.pid)]);
    const codes = (await Promise.all(mc.pods.map((pod) => pod.exited))).map(({ code }) => code);
    expect(codes, mc.logs()).toEqual([137, 137, 137]);
    record('leader’s broker killed: three pods in a chain have ended with 137', startedAt);
  });

  it('the code of the program is the code of every pod, however deep in the tree', async () => {
    await using mc = begin({ cluster: 'code', size: 4, env: chain, command: ['sh', '-c', 'exit 7'] });
    const codes = (await Promise.all(mc.pods.map((pod) => pod.exited))).map(({ code }) => code);
    expect(codes, mc.logs()).toEqual([7, 7, 7, 7]);
  });

  it.runIf(flux.real).each([true, false])(
    'a leader whose broker cannot start says why, and its followers exit with the same code, rc3 of Flux: %s',
    async (jobs) => {
      const fail = "#!/bin/sh\nuntil [ -e /tmp/go ]; do sleep 0.1; done; echo 'no way' >&2; exit 1\n";
      const rc1 = { '/etc/rc1': { content: fail, mode: 0o755 } };
      // With the rc3 of Flux the follower’s broker still runs when the leader exits, without it that has exited before.
      await using mc = begin({
        cluster: `broken-${jobs}`,
        size: 2,
        jobs,
        pod: (index) =>
          index === 0 ? { mounts: rc1, env: { FLUX_POD_BROKER_OPTIONS: '-Sbroker.rc1_path=/etc/rc1' } } : {},
      });
      await until(
        () => brokerOf(mc.leader),
        (broker) => broker?.overlay?.children[0]?.status === 'full',
      );
      await mc.linked(1);
      await mc.leader.exec(['touch', '/tmp/go']);
      const codes = (await Promise.all(mc.pods.map((pod) => pod.exited))).map(({ code }) => code);
      expect(codes, mc.logs()).toEqual([71, 71]);
      const why = 'The broker could not start: rc1 exited with code 1: no way';
      expect(mc.leader.terminationLog()).toBe(`${why} (exit 71)\n`);
      expect(mc.pod(1).terminationLog()).toBe(`The instance has ended. Its leader: ${why} (exit 71)\n`);
    },
  );

  it('SIGTERM to all pods at once, with a job running: every process exits before its grace period is over, with 143', async () => {
    await using mc = await start({
      cluster: 'all',
      size: 3,
      jobs: true,
      cleanup: true,
      // Longer than this test: a broker that had to be killed would keep it.
      env: { FLUX_POD_GRACE: '10m' },
      command: ['flux', 'run', '-N3', 'sh', '-c', 'echo up; exec sleep 1000'],
    });
    await mc.ready();
    const startedAt = performance.now();
    expect(await mc.stop(), mc.logs()).toEqual(stopped(3));
    record('SIGTERM to all three pods with a job running: all have ended', startedAt);
  });

  it('SIGTERM to one follower: it leaves, the others go on, and what comes in its place takes jobs', async () => {
    await using mc = await start({ cluster: 'one', size: 3, jobs: true });
    await mc.ready();
    const startedAt = performance.now();
    await mc.pod(2).signal('SIGTERM');
    expect(await mc.pod(2).exited, mc.logs()).toEqual({ code: 143 });
    record('SIGTERM to one follower: it has left', startedAt);
    await mc.pod(2).remove();
    await isReady(mc.leader);
    await isReady(mc.replace(2));
    if (!flux.real) return;
    const job = async () => (await run(mc.leader, '-N3', 'hostname')).stdout;
    const { answer } = await until(job, (said) => said.includes('one-2'));
    expect(answer.trim().split('\n').sort()).toEqual(['one-0', 'one-1', 'one-2']);
  });

  it('a second SIGTERM is passed on, and the grace period ends what does not end', async () => {
    await using mc = await start({
      cluster: 'second',
      size: 1,
      env: { FLUX_POD_GRACE: '1s' },
      command: ['sh', '-c', "trap '' TERM HUP; echo up; sleep 1000 & while :; do wait; done"],
    });
    const startedAt = performance.now();
    await mc.leader.signal('SIGTERM');
    expect(await mc.stop(), mc.logs()).toEqual(stopped(1));
    record('SIGTERM to a program that ignores it, FLUX_POD_GRACE=1s: it has ended', startedAt);
  });

  it('a follower whose parent is lost stops before its grace period is over', async () => {
    await using mc = await start({ cluster: 'orphan', size: 2, env: { FLUX_POD_GRACE: '10m' } });
    await mc.ready();
    await mc.leader.remove();
    const startedAt = performance.now();
    await mc.pod(1).signal('SIGTERM');
    expect(await mc.pod(1).exited).toEqual({ code: 143 });
    record('SIGTERM to a follower whose leader is lost: it has exited', startedAt);
  });

  it('an agent that is killed takes its broker with it', async () => {
    await using mc = await start({ cluster: 'agent', size: 1 });
    await mc.leader.exec(['kill', '-KILL', String(agentOf(mc.leader).pid)]);
    expect(await mc.leader.exited).toEqual({ code: 137 });
  });

  it('a link that is down until the parent is lost costs nothing: the broker is the same afterwards', async () => {
    await using mc = await start({ cluster: 'link', size: 2, heartbeat: '0.5s' });
    await mc.ready();
    const follower = mc.pod(1);
    await follower.linkDown();
    await isUnready(follower, 'the parent is lost');
    await follower.linkUp();
    const startedAt = performance.now();
    await isReady(follower);
    record('link down until heartbeats are missed, and up again: ready', startedAt);
    expect(await mc.restarts(1), follower.stderr).toBe(0);
  });

  it.runIf(flux.real)(
    'the job queue survives a leader pod that is stopped, and one that is killed, in its state directory',
    async () => {
      const state = mkdtempSync(join(tmpdir(), 'flux-pod-state-'));
      try {
        // Of the job manager: a list of jobs may be behind a submission.
        const count = 'flux module stats --parse=active_jobs job-manager';
        const script = `flux submit --cc=1-3 --urgency=hold true >/dev/null; ${count}; echo up; exec sleep 1000`;
        const checkpoints = { '/etc/broker.toml': { content: '[kvs]\ncheckpoint-period = "200ms"\n' } };
        const env = {
          FLUX_POD_STATE_DIR: '/state/queue',
          FLUX_POD_DIR: '/state/run',
          FLUX_POD_BROKER_CONFIG: '/etc/broker.toml',
        };
        await using mc = await start({
          cluster: 'queue',
          size: 1,
          jobs: true,
          env,
          command: ['sh', '-c', script],
          pod: () => ({ volumes: { '/state': state }, mounts: checkpoints }),
        });
        expect(mc.leader.stdout).toMatch(/^3$/m);
        expect(await mc.stop(), mc.logs()).toEqual(stopped(1));
        mc.replace(0);
        await mc.up();
        expect(mc.leader.stdout, mc.leader.stderr).toMatch(/^6$/m);
        // A job is replayed from its validate event on, which a checkpoint may lack that has its jobspec and its
        // eventlog (flux-core, src/modules/job-manager/job.c).
        const eventlogs = `flux dump --checkpoint - 2>/dev/null | tar xO --wildcards 'job/*/eventlog'`;
        const saved = `${eventlogs} | grep -c '"name":"validate"'`;
        const inCheckpoint = async () =>
          (
            await fluxPod(mc.leader, 'shell', '--dir', env.FLUX_POD_DIR, '--', 'sh', '-c', saved)
          ).stdout.trim();
        await until(inCheckpoint, (count) => count === '6');
        await mc.leader.remove();
        mc.replace(0);
        await mc.up();
        expect(mc.leader.stdout, mc.leader.stderr).toMatch(/^9$/m);
        expect(await mc.stop(), mc.logs()).toEqual(stopped(1));
      } finally {
        rmSync(state, { recursive: true, force: true });
      }
    },
  );

  // Before there is a broker.
  it('a run-time directory on a full disk is said, with 78', async () => {
    const agent = join(installFluxPod(), 'flux-pod');
    const fill =
      'mkdir /tmp/full; mount -t tmpfs -o size=4k tmpfs /tmp/full; head -c 4096 /dev/zero >/tmp/full/x';
    await using mc = begin({
      cluster: 'disk',
      size: 1,
      flux: standInFlux,
      pod: () => ({
        command: ['sh', '-c', `${fill}; exec ${agent} run -- true`],
        env: { FLUX_POD_DIR: '/tmp/full' },
      }),
    });
    expect(await mc.leader.exited, mc.logs()).toEqual({ code: 78 });
    expect(mc.leader.terminationLog()).toMatch(/Cannot .*\/tmp\/full.*ENOSPC/);
  });

  it('a certificate that comes later: the pod ends with 77 and a word, and joins when it is started again', async () => {
    let mounted = false;
    await using mc = begin({
      cluster: 'late',
      size: 2,
      pod: (index) =>
        index === 0 || mounted ? {} : { env: { FLUX_POD_CURVE_CERT: '/etc/flux-pod/curve/later.cert' } },
    });
    const early = mc.pod(1);
    expect(await early.exited, early.stderr).toEqual({ code: 77 });
    expect(early.terminationLog()).toMatch(/later\.cert/);
    await early.remove();
    mounted = true;
    mc.replace(1);
    await mc.up();
  });

  // `RESTARTS=200 npx vitest ...` takes minutes. How late each start is: test/lifecycle/follower.test.ts.
  const inARow = Number(process.env.RESTARTS ?? 3);
  it('a broker that is killed again and again is started again and again, and the agent holds no more files than before', {
    timeout: 120_000 + inARow * 3000,
  }, async () => {
    await using mc = await start({ cluster: 'again', size: 2 });
    await mc.ready();
    const follower = mc.pod(1);
    const proc = agentProc(follower);
    const before = openFiles(proc);
    const startedAt = performance.now();
    for (let restarts = 1; restarts <= inARow; restarts++) {
      const { broker } = await statusOf(follower);
      await follower.exec(['kill', '-KILL', String(broker?.pid)]);
      await until(
        () => statusOf(follower),
        (now) => now.broker?.restarts === restarts && now.broker.state === 'run',
      );
    }
    record(`a follower’s broker killed ${inARow} times in a row: it runs again after the last`, startedAt);
    await until(
      async () => openFiles(proc),
      (now) => now <= before,
    );
    expect(await mc.restarts(0)).toBe(0);
  });

  it('two pods of one index: the second never becomes ready, and the instance goes on', async () => {
    await using mc = await start({ cluster: 'twin', size: 2 });
    await mc.ready();
    const first = mc.leader;
    const twin = mc.replace(0);
    await until(
      () => probe(twin, 'readyz').catch(() => ({ ok: false, why: '' })),
      ({ why }) => /quorum/.test(why),
    );
    await isReady(first);
    expect((await statusOf(mc.pod(1))).broker).toMatchObject({ state: 'run', restarts: 0 });
  });
});
