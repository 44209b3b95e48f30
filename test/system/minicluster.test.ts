import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bed, type BedOptions, bedUnavailable, createBed } from '../support/bed.ts';
import {
  everyFlux,
  exitCodes,
  isFirstChoice,
  logsOf,
  type MiniClusterSpec,
  startMiniCluster,
} from '../support/flux-pod.ts';
import type { Pod } from '../support/pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: whole pods. ${unavailable}`);

describe.skipIf(unavailable).each(everyFlux())(
  'pods of an Indexed Job become one instance of $name',
  (flux) => {
    let bed: Bed;
    /** Denials are cached as CoreDNS does; answers are not, because the tests use the same names again and again. */
    const caching: BedOptions = { dns: { negativeTtl: 30 } };
    beforeAll(async () => {
      bed = await createBed(caching);
    });
    afterAll(() => bed?.close());

    /** Runs a MiniCluster to its end: all exit codes, the leader's output, every pod's log. */
    async function run(where: Bed, spec: Omit<MiniClusterSpec, 'flux'>) {
      const pods = startMiniCluster(where, { flux, ...spec });
      const codes = await exitCodes(pods);
      const ended = { codes, leader: pods[0] as Pod, followers: pods.slice(1), logs: logsOf(pods) };
      await Promise.all(pods.map((pod) => pod.remove()));
      return ended;
    }

    it.each(isFirstChoice(flux) ? [1, 2, 4, 7, 33] : [1, 2, 4, 7])(
      '%i pods, with only FLUX_POD_SIZE set',
      async (size) => {
        const { codes, leader, followers, logs } = await run(bed, {
          size,
          cluster: 'mc',
          command: ['sh', '-c', `flux resource list; flux run -N${size} hostname`],
        });
        expect(codes, logs).toEqual(Array(size).fill(0));
        const hostnames = leader.stdout.split('\n').filter((line) => line.startsWith('mc-'));
        expect(hostnames.sort()).toEqual([leader, ...followers].map(({ name }) => name).sort());
        expect(leader.stdout).toMatch(/STATE +NNODES +NCORES/);
        expect(followers.map(({ stdout }) => stdout).join('')).toBe('');
        for (const { stderr } of followers) expect(stderr).toContain('The instance has ended');
      },
    );

    it.each([
      ['a Job whose name has hyphens and a number', { cluster: 'a-b-2-c' }, /^a-b-2-c-1$/m],
      ['a Job whose name ends in a number', { cluster: 'mc-5' }, /^mc-5-1$/m],
      [
        'setHostnameAsFQDN',
        { pod: () => ({ hostnameAsFqdn: true }) },
        /^mc-1\.flux-service\.default\.svc\.cluster\.local$/m,
      ],
      [
        'another Service and namespace',
        { pod: () => ({ service: 'peers', namespace: 'team-a' }) },
        /^mc-1$/m,
      ],
      ['records that come 1 s late', { pod: () => ({ publishAfter: 1000 }) }, /^mc-1$/m],
      ['a tree of three levels', { size: 4, env: { FLUX_POD_TOPO: 'kary:1' } }, /^mc-3$/m],
    ])('%s', async (_, special, hostname) => {
      const size = 'size' in special ? (special.size ?? 2) : 2;
      const { codes, leader, logs } = await run(bed, {
        command: ['flux', 'run', `-N${size}`, 'hostname'],
        ...special,
        size,
      });
      expect(codes, logs).toEqual(Array(size).fill(0));
      expect(leader.stdout).toMatch(hostname);
    });

    it.each([
      ['a domain that is not cluster.local', { ...caching, domain: 'k8s.example.org' }],
      ['pods that have IPv6 only', { ...caching, ipv6Only: true }],
    ])('%s', async (_, options) => {
      await using other = await createBed(options);
      const { codes, leader, logs } = await run(other, {
        size: 3,
        command: ['flux', 'run', '-N3', 'hostname'],
      });
      expect(codes, logs).toEqual([0, 0, 0]);
      expect(leader.stdout.trim().split('\n').sort()).toEqual(['mc-0', 'mc-1', 'mc-2']);
    });

    it("a follower never asks for its parent's address before the name exists, and the broker asks nothing", async () => {
      await using other = await createBed(caching);
      const publishAfter = 1500;
      const { codes, logs } = await run(other, { size: 2, command: ['true'], pod: () => ({ publishAfter }) });
      expect(codes, logs).toEqual([0, 0]);
      const { queries } = other.nameserver;
      expect(queries.filter(({ type, rcode }) => type === 'A' && rcode !== 'NOERROR')).toEqual([]);
      expect(queries.filter(({ type }) => type === 'A')).toHaveLength(1);
    });

    it('mode submit runs COMMAND as one job, a task on each node', async () => {
      const { codes, leader, logs } = await run(bed, {
        size: 3,
        env: { FLUX_POD_MODE: 'submit' },
        command: ['sh', '-c', 'echo "task $FLUX_TASK_RANK"'],
      });
      expect(codes, logs).toEqual([0, 0, 0]);
      expect(leader.stdout.trim().split('\n').sort()).toEqual(['task 0', 'task 1', 'task 2']);
    });

    it('mode batch makes a job of each line, shows their output in order, and ends with the highest code', async () => {
      const { codes, leader, logs } = await run(bed, {
        size: 1,
        env: { FLUX_POD_MODE: 'batch' },
        command: ['echo one\n\n# not this\nsh -c "exit 3"', "echo 'and  two'"],
      });
      expect(codes, logs).toEqual([3]);
      expect(leader.stdout).toBe('one\nand  two\n');
    });

    it('mode interactive stays up until it is stopped', async () => {
      const pods = startMiniCluster(bed, {
        size: 2,
        flux,
        env: { FLUX_POD_MODE: 'interactive' },
        command: [],
        cluster: 'stays',
      });
      const [leader, follower] = pods as [Pod, Pod];
      await follower.waitForOutput(/quorum->run/, 30_000);
      const inside = await leader.exec([
        'sh',
        '-c',
        `PATH=$PATH:${flux.path.replace(/\/flux$/, '')} FLUX_URI=local:///run/flux-pod/run/local flux getattr size`,
      ]);
      expect(inside).toMatchObject({ code: 0, stdout: '2\n' });
      await Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
      expect(await exitCodes(pods), logsOf(pods)).toEqual([143, 143]);
    });

    it('hooks run at their stages, in all pods, on the leader and on followers', async () => {
      const say = { content: '#!/bin/sh\necho "hook $(basename "$0") in $HOSTNAME"\n', mode: 0o755 };
      const hooks = ['post', 'pre-2', 'pre-1', 'init', 'leader-pre.sh', 'follower-pre'];
      const { codes, leader, followers, logs } = await run(bed, {
        size: 2,
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
        command: ['true'],
        pod: (index) => (index === 0 ? { mounts: { '/etc/flux-pod/hooks.d/post': fail } } : {}),
      });
      expect(codes, logs).toEqual([0, 0]);
      expect(leader.stderr).toMatch(/The post hook \S+ failed: it exited with code 3/);
    });

    it.each([
      ['false', 1, /The program exited with code 1 \(exit 1\)/],
      ['sh -c "exit 42"', 42, /exited with code 42/],
      ['sh -c "kill -9 $$"', 137, /exited with code 137: signal 9 ended it/],
      ['no-such-program', 127, /a command was not found/],
      ['/etc/hosts', 126, /a command is not executable/],
    ])('all pods of `%s` end with %i', async (program, code, said) => {
      const command = program.startsWith('sh -c') ? ['sh', '-c', program.slice(7, -1)] : [program];
      const { codes, leader, logs } = await run(bed, { size: 2, command });
      expect(codes, logs).toEqual([code, code]);
      expect(leader.terminationLog()).toMatch(said);
    });

    it('a lost leader does not end its follower', async () => {
      const pods = startMiniCluster(bed, {
        size: 2,
        flux,
        cluster: 'lost',
        command: ['sh', '-c', 'echo up; sleep 1000'],
      });
      const [leader, follower] = pods as [Pod, Pod];
      await leader.waitForOutput(/^up$/m, 30_000);
      await leader.remove();
      await follower.signal('SIGTERM');
      expect(await follower.exited, logsOf(pods)).toEqual({ code: 143 });
    });

    it('a follower gives up after FLUX_POD_PEER_TIMEOUT with 69', async () => {
      const [leader, follower] = startMiniCluster(bed, {
        size: 2,
        flux,
        cluster: 'alone',
        env: { FLUX_POD_PEER_TIMEOUT: '700ms' },
        command: ['true'],
        pod: () => ({ publishAfter: Number.POSITIVE_INFINITY }),
      }) as [Pod, Pod];
      expect(await follower.exited, follower.stderr).toEqual({ code: 69 });
      expect(follower.stderr).toMatch(
        /alone-0\S* could not be reached within 0\.7 s \(waiting for its name: no such name\)/,
      );
      expect(follower.terminationLog()).toContain('(exit 69)');
      await leader.remove();
    });

    it('no key is in any log, and no process shows one', async () => {
      const pods = startMiniCluster(bed, {
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
      const [leader, follower] = pods as [Pod, Pod];
      await leader.waitForOutput(/^up$/m, 30_000);
      const key = /secret-key = "(.{40})"/.exec(leader.stdout)?.[1] ?? '';
      expect(key).toHaveLength(40);
      expect(leader.stdout).toMatch(/^-rw------- /m);
      const processes = [...(await leader.processes()), ...(await follower.processes())];
      expect(processes.length).toBeGreaterThan(4);
      await Promise.all(pods.map((pod) => pod.signal('SIGTERM')));
      await exitCodes(pods);
      for (const text of [leader.stderr, follower.stderr, JSON.stringify(processes)])
        expect(text).not.toContain(key);
    });
  },
);
