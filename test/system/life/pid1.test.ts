import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeFlux } from '../../support/agent/agent.ts';
import { type Bed, bedUnavailable, createBed, type PodSpec } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { installFluxPod, standInFlux } from '../../support/project/flux-pod.ts';

// The duties of a PID 1, after the test lists of tini and dumb-init.
const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: flux-pod as PID 1. ${unavailable}`);
const tini = ['/usr/bin/tini', '/sbin/tini', '/usr/local/bin/tini', '/tini'].filter((path) =>
  existsSync(path),
);
if (tini.length === 0) console.warn('SKIPPED: PID 1 with tini. Install tini (Debian: apt-get install tini).');

const ways = [
  { name: 'the shell as PID 1', hide: tini },
  ...(tini.length > 0 ? [{ name: 'tini as PID 1', hide: [] }] : []),
];

describe.skipIf(unavailable).each(ways)('$name', { concurrent: true }, ({ hide }) => {
  let bed: Bed;
  let directory: string;
  beforeAll(async () => {
    bed = await createBed();
    directory = installFluxPod();
  });
  afterAll(() => bed?.close());

  /** PID 1 covers what is hidden in its own mount namespace, then becomes what it is to be. */
  const asPid1 = (command: readonly string[]): string[] => [
    'sh',
    '-c',
    `${hide.map((path) => `mount --bind /dev/null ${path}; `).join('')}exec "$@"`,
    'sh',
    ...command,
  ];

  const start = (program: readonly string[], more: Partial<PodSpec> = {}): Pod =>
    bed.startPod({
      cluster: 'mc',
      index: 0,
      env: { FLUX_POD_SIZE: '1', FLUX_POD_FLUX: '/tmp/flux' },
      command: asPid1([join(directory, 'flux-pod'), 'run', '--', ...program]),
      mounts: { '/tmp/flux': { content: fakeFlux, mode: 0o755 } },
      ...more,
    });

  /** With a broker of its own, apart from its program. */
  const startApart = (program: readonly string[]): Pod =>
    start(program, { env: { FLUX_POD_SIZE: '1', FLUX_POD_FLUX: standInFlux.path } });

  it('is what the process list shows', async () => {
    const pod = start(['sh', '-c', 'echo up; exec sleep 1000']);
    await pod.waitForOutput(/^up$/m);
    const first = (await pod.processes()).find(({ pid }) => pid === 1);
    expect(first?.command).toMatch(hide.length === 0 && tini.length > 0 ? /tini/ : /flux-pod|sh/);
    await pod.kill();
  });

  // tini has a test of its own for them; some of them are below.
  it.runIf(hide === tini)('passes on each of the 256 exit codes', async () => {
    const loop = `cp ${directory}/flux-pod ${directory}/flux-pod.cjs /tmp
      printf '#!/bin/sh\\nfor last; do :; done; exit "$last"\\n' >/tmp/node; chmod +x /tmp/node
      code=0
      while [ $code -le 255 ]; do
        unshare --pid --fork --mount-proc /tmp/flux-pod $code
        [ $? = $code ] || echo "wrong for $code"
        code=$((code + 1))
      done
      echo "tried $code"`;
    const pod = bed.startPod({ cluster: 'mc', index: 0, command: asPid1(['sh', '-c', loop]) });
    expect(await pod.exited).toEqual({ code: 0 });
    expect(pod.stdout).toBe('tried 256\n');
  });

  it.each([0, 1, 126, 143, 255])('ends as its program does: %i', async (code) => {
    const pod = start(['sh', '-c', `exit ${code}`]);
    expect(await pod.exited, pod.stderr).toEqual({ code });
    expect(pod.terminationLog()).toContain(`(exit ${code})`);
  });

  it('SIGTERM reaches the broker, and the pod ends with 143', async () => {
    const pod = start(['sh', '-c', "trap 'echo got it; exit 0' TERM; echo up; while :; do sleep 0.01; done"]);
    await pod.waitForOutput(/^up$/m);
    await pod.signal('SIGTERM');
    expect(await pod.exited, pod.stderr).toEqual({ code: 143 });
    expect(pod.stdout).toContain('got it');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)(
    '%s reaches the program, which may go on, end as it likes, or of it with %i',
    async (signal, code) => {
      const say = `trap 'echo got ${signal}' ${signal.slice(3)}; trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done`;
      const pod = startApart(['sh', '-c', say]);
      await pod.waitForOutput(/^up$/m);
      await pod.signal(signal);
      await pod.waitForOutput(new RegExp(`got ${signal}`));
      await pod.signal('SIGUSR1');
      expect(await pod.exited, pod.stderr).toEqual({ code: 9 });
      const other = startApart(['sh', '-c', 'echo up; exec sleep 1000']);
      await other.waitForOutput(/^up$/m);
      await other.signal(signal);
      expect(await other.exited, other.stderr).toEqual({ code });
    },
  );

  it.each(['SIGUSR1', 'SIGUSR2'] as const)('%s reaches the program, which goes on', async (signal) => {
    const pod = startApart([
      'sh',
      '-c',
      `trap 'echo got ${signal}' ${signal.slice(3)}; trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done`,
    ]);
    await pod.waitForOutput(/^up$/m);
    await pod.signal(signal);
    await pod.waitForOutput(new RegExp(`got ${signal}`));
    await pod.signal('SIGTERM');
    expect(await pod.exited).toEqual({ code: 143 });
  });

  it('a signal that a kill -9 of the broker follows still ends the pod', async () => {
    const pod = start(['sh', '-c', 'echo up; kill -9 $$']);
    expect(await pod.exited).toEqual({ code: 137 });
  });

  it('reaps the orphans of jobs', async ({ expect }) => {
    const spawn =
      'i=0; while [ $i -lt 100 ]; do (sleep 0.0$((i % 10)) &); i=$((i + 1)); done; echo spawned; exec sleep 1000';
    const pod = start(['sh', '-c', spawn]);
    await pod.waitForOutput(/spawned/);
    const sleeping = () => pod.processes().filter(({ command }) => command === 'sleep');
    // The program itself, and no zombie.
    await expect.poll(() => sleeping().map(({ state }) => state)).toEqual(['S']);
    await pod.kill();
  });

  it('a process that the program left in the background does not keep the pod', async () => {
    const pod = start(['sh', '-c', 'sleep 1000 & exit 7']);
    expect(await pod.exited).toEqual({ code: 7 });
  });

  it('stdin reaches the program', async () => {
    const pod = start(['sh', '-c', 'read -r line; echo "read: $line"'], { stdin: 'pipe' });
    pod.stdin?.end('a line\n');
    expect(await pod.exited).toEqual({ code: 0 });
    expect(pod.stdout).toBe('read: a line\n');
  });

  it('output passes before its line ends, and whole', async () => {
    const pod = start(['sh', '-c', 'printf half; read -r _; head -c 10000000 /dev/zero | tr "\\0" x'], {
      stdin: 'pipe',
    });
    await pod.waitForOutput(/half/);
    pod.stdin?.end('\n');
    expect(await pod.exited, pod.stderr).toEqual({ code: 0 });
    expect(pod.stdout).toBe(`half${'x'.repeat(10_000_000)}`);
  });
});
