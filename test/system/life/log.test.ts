import { constants } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import {
  exitCodes,
  firstChoice,
  logsOf,
  startMiniCluster,
  withoutCleanup,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: what pods write to their logs. ${unavailable}`);

const agentTime = /^\d\d:\d\d:\d\d\.\d{3} /;
/** Has the date as well (the stand-in: ISO 8601). */
const brokerTime = /\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d+ \S+ \d{4} |\d{4}-\d\d-\d\dT[\d:.]+Z (?=\w+\.\w+\[)/g;
const brokerPrefix = /^\w+\.\w+\[(\d+)\]: /;

describe.skipIf(unavailable)('the log of pods', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed();
  });
  afterAll(() => bed?.close());

  it('has a time in each line of the text format, the broker’s too, and each pod has its own broker’s lines only', async () => {
    const pods = startMiniCluster(bed, {
      size: 2,
      flux,
      cluster: 'text',
      jobs: false,
      env: { FLUX_POD_LOG_FORMAT: 'text' },
      command: ['sh', '-c', 'exit 7'],
    });
    expect(await exitCodes(pods), logsOf(pods)).toEqual([7, 7]);
    for (const [rank, { stderr }] of pods.entries()) {
      // Flux writes the time and then the text (flux-core src/broker/log.c): lines of the agent may come between.
      const lines = stderr
        .replaceAll(brokerTime, '')
        .split('\n')
        .filter((line) => line !== '');
      const brokers = lines.flatMap((line) => brokerPrefix.exec(line)?.[1] ?? []);
      expect(stderr.match(brokerTime)).toHaveLength(brokers.length);
      expect(lines.filter((line) => !brokerPrefix.test(line) && !agentTime.test(line))).toEqual([]);
      expect(new Set(brokers)).toEqual(new Set([String(rank)]));
    }
  });

  it.runIf(flux.real)('shows the program as COMMAND has it', async () => {
    const pods = startMiniCluster(bed, {
      size: 1,
      flux,
      cluster: 'shown',
      jobs: false,
      command: ['sh', '-c', 'exit 7'],
    });
    expect(await exitCodes(pods), logsOf(pods)).toEqual([7]);
    expect(pods[0]?.stderr).toMatch(/ rc2\.0: sh -c exit 7 Exited \(rc=7\)/);
  });

  // The stand-in, of Node.js itself, makes its own stderr non-blocking.
  it.runIf(flux.real)('is shared with a program whose writes block', async () => {
    const pods = startMiniCluster(bed, {
      size: 1,
      flux,
      cluster: 'blocking',
      jobs: false,
      pod: () => ({ stdin: 'pipe' }),
      command: ['sh', '-c', 'echo up; read -r _; grep ^flags /proc/self/fdinfo/1 /proc/self/fdinfo/2'],
    });
    const [pod] = pods as [Pod];
    await pod.waitForOutput(/^up$/m);
    // Its logger, which the agent has loaded by then, loads node:assert.
    await pod.waitForOutput(/"Phase broker"/);
    pod.stdin?.end('\n');
    expect(await exitCodes(pods), logsOf(pods)).toEqual([0]);
    const flags = [...pod.stdout.matchAll(/fdinfo\/(\d):flags:\s*(\d+)/g)].map(([, fd, octal = '']) => [
      fd,
      Number.parseInt(octal, 8) & constants.O_NONBLOCK,
    ]);
    expect(flags).toEqual([
      ['1', 0],
      ['2', 0],
    ]);
  });

  it('a signal reaches the program and not a job, though both are the broker’s children', async () => {
    const job = 'trap "touch /tmp/hit" USR1; touch /tmp/runs; while :; do sleep 0.05; done';
    const script = `trap 'sleep 1; ls /tmp/hit; exit 9' USR1
      flux submit sh -c '${job}' >/dev/null; until [ -e /tmp/runs ]; do sleep 0.05; done
      echo up; while :; do sleep 0.05; done`;
    const pods = startMiniCluster(bed, {
      size: 1,
      flux,
      cluster: 'signal',
      env: withoutCleanup,
      command: ['sh', '-c', script],
    });
    const [leader] = pods as [Pod];
    await leader.waitForOutput(/^up$/m);
    await leader.signal('SIGUSR1');
    expect(await exitCodes(pods), logsOf(pods)).toEqual([9]);
    expect(leader.stdout).toBe('up\n');
  });
});
