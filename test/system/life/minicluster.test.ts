import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bed, type BedOptions, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { startCluster } from '../../support/bed/running-cluster.ts';
import {
  everyFlux,
  exitCodes,
  type Flux,
  firstChoice,
  logsOf,
  type MiniClusterSpec,
  miniCluster,
  standInFlux,
  startMiniCluster,
  withoutCleanup,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: whole pods. ${unavailable}`);

/** Negative answers are cached as CoreDNS does. */
const caching: BedOptions = { dns: { negativeTtl: 30 } };

/** Runs a MiniCluster to its end: all exit codes, the leader's output, every pod's log. */
async function run(where: Bed, spec: MiniClusterSpec) {
  const pods = startMiniCluster(where, spec);
  const codes = await exitCodes(pods);
  const ended = { codes, leader: pods[0] as Pod, followers: pods.slice(1), logs: logsOf(pods) };
  await Promise.all(pods.map((pod) => pod.remove()));
  return ended;
}

describe.skipIf(unavailable)('pods of an Indexed Job become one instance', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed(caching);
  });
  afterAll(() => bed?.close());

  // More of them: `npm run bench -- scale`.
  const sizes = everyFlux().flatMap((flux): [number, Flux][] =>
    (flux.real ? [7] : [1, 4]).map((size) => [size, flux]),
  );
  it.each(sizes)('%i pods, with only FLUX_POD_SIZE set', async (size, flux) => {
    const { codes, leader, followers, logs } = await run(bed, {
      size,
      flux,
      cluster: `mc-${size}${flux.real ? 'r' : 's'}`,
      command: ['sh', '-c', `flux resource list; flux run -N${size} hostname`],
    });
    expect(codes, logs).toEqual(Array(size).fill(0));
    const hostnames = leader.stdout.split('\n').filter((line) => line.startsWith('mc-'));
    expect(hostnames.sort()).toEqual([leader, ...followers].map(({ name }) => name).sort());
    expect(leader.stdout).toMatch(/STATE +NNODES +NCORES/);
    expect(followers.map(({ stdout }) => stdout).join('')).toBe('');
    for (const { stderr } of followers) expect(stderr).toContain('The instance has ended');
  });

  // One after the other by computation: test/broker/membership.test.ts and test/pod/identity.test.ts.
  const names: [string, BedOptions, Partial<MiniClusterSpec>, (rank: number) => string][] = [
    [
      'a Job whose name has hyphens and ends in a number, another Service and namespace, and records that come 1 s late',
      caching,
      {
        cluster: 'a-b-2-c-5',
        flux: standInFlux,
        pod: () => ({ service: 'peers', namespace: 'team-a', publishAfter: 1000 }),
      },
      (rank) => `a-b-2-c-5-${rank}`,
    ],
    [
      'a domain that is not cluster.local, pods that have IPv6 only, setHostnameAsFQDN and a tree of three levels',
      { ...caching, domain: 'k8s.example.org', ipv6Only: true },
      {
        cluster: 'mc-5',
        env: { ...withoutCleanup, FLUX_POD_TOPO: 'kary:1' },
        pod: () => ({ hostnameAsFqdn: true }),
      },
      (rank) => `mc-5-${rank}.flux-service.default.svc.k8s.example.org`,
    ],
  ];
  it.each(names)('%s', async (_, options, spec, nameOf) => {
    await using other = await createBed(options);
    const command = ['flux', 'run', '-N3', 'hostname'];
    const { codes, leader, logs } = await run(other, { size: 3, flux, command, ...spec });
    expect(codes, logs).toEqual([0, 0, 0]);
    expect(leader.stdout.trim().split('\n').sort()).toEqual([0, 1, 2].map(nameOf));
  });

  it("a follower never asks for its parent's address before the name exists, and the broker asks nothing", async () => {
    await using other = await createBed(caching);
    const publishAfter = 1500;
    const { codes, logs } = await run(other, {
      size: 2,
      flux,
      jobs: false,
      command: ['true'],
      pod: () => ({ publishAfter }),
    });
    expect(codes, logs).toEqual([0, 0]);
    const { queries } = other.nameserver;
    expect(queries.filter(({ type, rcode }) => type === 'A' && rcode !== 'NOERROR')).toEqual([]);
    expect(queries.map(({ type }) => type)).toContain('A');
    // A broker that looks up a name asks for both kinds of address (getaddrinfo). How often an agent asks: test/dns/await-parent.test.ts.
    expect(queries.map(({ type }) => type)).not.toContain('AAAA');
  });

  it('mode submit runs COMMAND as one job, a task on each node, in the environment of the pod', async () => {
    const { codes, leader, logs } = await run(bed, {
      size: 2,
      flux,
      cluster: 'submit',
      // The agent has a time zone of its own.
      env: { ...withoutCleanup, FLUX_POD_MODE: 'submit', TZ: 'Asia/Tokyo' },
      command: ['sh', '-c', 'echo "task $FLUX_TASK_RANK in $TZ"'],
    });
    expect(codes, logs).toEqual([0, 0]);
    expect(leader.stdout.trim().split('\n').sort()).toEqual(['task 0 in Asia/Tokyo', 'task 1 in Asia/Tokyo']);
  });

  it('mode batch makes a job of each line, shows their output in order, and ends with the highest code', async () => {
    const { codes, leader, logs } = await run(bed, {
      size: 1,
      flux,
      cluster: 'batch',
      env: { ...withoutCleanup, FLUX_POD_MODE: 'batch' },
      command: ['echo one\n\n# not this\nsh -c "exit 3"', "echo 'and  two'"],
    });
    expect(codes, logs).toEqual([3]);
    expect(leader.stdout).toBe('one\nand  two\n');
  });

  it('mode interactive stays up until it is stopped', async () => {
    const pods = startMiniCluster(bed, {
      size: 2,
      flux,
      jobs: false,
      env: { FLUX_POD_MODE: 'interactive' },
      command: [],
      cluster: 'stays',
    });
    const [leader, follower] = pods as [Pod, Pod];
    await follower.waitForOutput(/quorum->run/);
    const inside = await leader.exec([
      'sh',
      '-c',
      `PATH=$PATH:${flux.path.replace(/\/flux$/, '')} FLUX_URI=local:///run/flux-pod/run/flux/local flux getattr size`,
    ]);
    expect(inside).toMatchObject({ code: 0, stdout: '2\n' });
    await Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143]);
  });

  // Hooks are the agent's own: before its broker, and after it.
  it('hooks run at their stages, in all pods, on the leader and on followers', async () => {
    const say = { content: '#!/bin/sh\necho "hook $(basename "$0") in $HOSTNAME"\n', mode: 0o755 };
    const hooks = ['post', 'pre-2', 'pre-1', 'init', 'leader-pre.sh', 'follower-pre'];
    const { codes, leader, followers, logs } = await run(bed, {
      size: 2,
      flux: standInFlux,
      cluster: 'hooks',
      command: ['echo', 'the program'],
      pod: () => ({
        mounts: Object.fromEntries(hooks.map((name) => [`/etc/flux-pod/hooks.d/${name}`, say])),
      }),
    });
    expect(codes, logs).toEqual([0, 0]);
    const said = ({ stderr }: Pod) => [...stderr.matchAll(/^hook (\S+) in/gm)].map(([, name]) => name);
    expect(said(leader)).toEqual(['init', 'pre-1', 'pre-2', 'leader-pre.sh', 'post']);
    expect(followers.map(said)).toEqual([['init', 'pre-1', 'pre-2', 'follower-pre', 'post']]);
    expect(leader.stdout).toBe('the program\n');
  });

  it('a post hook that fails is said and changes no code: the instance has ended and the pods agree how', async () => {
    const fail = { content: '#!/bin/sh\nexit 3\n', mode: 0o755 };
    const { codes, leader, logs } = await run(bed, {
      size: 2,
      flux: standInFlux,
      cluster: 'post',
      command: ['true'],
      pod: (index) => (index === 0 ? { mounts: { '/etc/flux-pod/hooks.d/post': fail } } : {}),
    });
    expect(codes, logs).toEqual([0, 0]);
    expect(leader.stderr).toMatch(/The post hook \S+ failed: it exited with code 3/);
  });

  // The other codes: bad-input.test.ts, and of a real follower faults.test.ts.
  it('all pods of `sh -c "kill -9 $$"` end with 137', async () => {
    const { codes, leader, logs } = await run(bed, {
      size: 2,
      flux: standInFlux,
      cluster: 'killed',
      command: ['sh', '-c', 'kill -9 $$'],
    });
    expect(codes, logs).toEqual([137, 137]);
    expect(leader.terminationLog()).toMatch(/exited with code 137: signal 9 ended it/);
  });

  it('a follower gives up after FLUX_POD_PEER_TIMEOUT with 69', async () => {
    const startPod = miniCluster(bed, {
      size: 2,
      flux,
      cluster: 'alone',
      env: { FLUX_POD_PEER_TIMEOUT: '3s' },
      command: ['true'],
    });
    const follower = startPod(1);
    await follower.waitForOutput(/Waiting for the parent's name: no such name/);
    expect(await follower.exited, follower.stderr).toEqual({ code: 69 });
    expect(follower.stderr).toMatch(/alone-0\S* could not be reached within 3 s \(waiting for its name: /);
    expect(follower.terminationLog()).toContain('(exit 69)');
  });

  it('no key is in any log, and no process shows one', async () => {
    await using mc = await startCluster(bed, {
      size: 2,
      flux,
      cluster: 'secret',
      env: { FLUX_POD_LOG_LEVEL: 'trace' },
      command: [
        'sh',
        '-c',
        'cat /run/flux-pod/curve.cert; ls -l /run/flux-pod/curve.cert; echo up; sleep 1000',
      ],
    });
    const [leader, follower] = mc.pods as [Pod, Pod];
    const key = /secret-key = "(.{40})"/.exec(leader.stdout)?.[1] ?? '';
    expect(key).toHaveLength(40);
    expect(leader.stdout).toMatch(/^-rw------- /m);
    const shown = [...shownOf(leader), ...shownOf(follower)];
    expect(shown.length).toBeGreaterThan(4);
    await mc.stop();
    for (const text of [leader.stderr, follower.stderr, ...shown]) expect(text).not.toContain(key);
  });
});

/** The command line and the environment of each process of a pod. */
const shownOf = (pod: Pod): string[] =>
  pod
    .processes()
    .flatMap(({ pid }) =>
      ['cmdline', 'environ'].map((file) => readFileSync(join(pod.proc(), String(pid), file), 'utf8')),
    );
