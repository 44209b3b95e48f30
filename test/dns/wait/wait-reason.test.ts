import { describe, expect, it } from 'vitest';
import { createReasonLog, describeReason, type WaitReason } from '../../../agent/dns/wait/wait-reason.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import type { VirtualCluster, VirtualDns } from '../../support/virtual/virtual-cluster.ts';
import { parentName, virtualWorld } from '../../support/virtual/virtual-wait.ts';

const live = '10.0.0.1';

/** The leader is there after `at` ms; before, only its sibling, if anybody. */
async function met(dns: VirtualDns, at: number, before: (cluster: VirtualCluster) => void = () => {}) {
  const { time, cluster, wait } = virtualWorld(dns);
  before(cluster);
  cluster.set(live, 'listens');
  const publish = () => cluster.publish(parentName, live);
  if (at > 0) time.at(at, publish);
  else publish();
  const waiting = wait();
  await time.run(120_000);
  return { ...waiting, late: waiting.foundAt() - at, queries: cluster.queries };
}

const sibling = (cluster: VirtualCluster) => cluster.publish(parentName.replace('mc-0', 'mc-1'), '10.0.0.2');

/** A fault for so many questions, and then none. */
const first = (count: number, fault: string | undefined): VirtualDns => ({
  fault: (_, before) => (before < count ? fault : null),
});

describe('what is met on the way, and how late the parent is found', () => {
  it.each<[string, VirtualDns, number, ((cluster: VirtualCluster) => void) | undefined, string[], number]>([
    ['nothing at all', {}, 0, undefined, [], 10],
    ['a name that is 500 ms late', {}, 500, undefined, ['name: no such name'], 500],
    [
      'a Service that is 20 s late',
      {},
      20_000,
      undefined,
      ['name: no such name', 'name: no such service, or it publishes no pod'],
      1050,
    ],
    ['a pod that is 20 s late in a Service that is there', {}, 20_000, sibling, ['name: no such name'], 1050],
    [
      'a resolver that keeps the denial of the name',
      { deniesNames: true },
      20_000,
      sibling,
      ['name: no such name', 'name: the negative answer is cached'],
      10_500,
    ],
    ['name servers that are silent', first(3, undefined), 0, undefined, ['name server: no answer'], 3400],
    ['a name server that fails', first(3, 'SERVFAIL'), 0, undefined, ['name server: SERVFAIL'], 350],
    ['a name server that refuses', first(3, 'REFUSED'), 0, undefined, ['name server: REFUSED'], 350],
  ])('%s', async (_, dns, at, before, reasons, late) => {
    const waited = await met(dns, at, before);
    expect(waited.met).toEqual(reasons);
    expect(waited.late).toBeLessThanOrEqual(late);
  });

  it('a fifth of all questions unanswered', async () => {
    let count = 0;
    const waited = await met({ fault: () => (++count % 5 === 0 ? undefined : null) }, 5000);
    expect(waited.late).toBeLessThan(3000);
  });

  it('name servers that are silent for 40 s: they are asked with pauses, and the parent is found when they speak', async () => {
    const world = virtualWorld({ fault: () => (world.time.now() < 40_000 ? undefined : null) });
    const { time, cluster, wait } = world;
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(60_000);
    const asked = cluster.queries.filter(({ at }) => at < 40_000).length;
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(150);
    expect(waiting.foundAt()).toBeLessThan(48_000);
  });

  it('a server that is silent to questions with EDNS: a stale address is still got rid of', async () => {
    const { time, cluster, wait } = virtualWorld({
      fault: ({ dnssecOk }) => (dnssecOk ? undefined : null),
    });
    cluster.publish(parentName, '10.0.0.99');
    void cluster.ask({ name: parentName, type: 'A' }, new AbortController().signal);
    cluster.publish(parentName, live);
    cluster.set(live, 'listens');
    const waiting = wait();
    await time.run(60_000);
    // The resolver gives up after a second.
    expect(waiting.foundAt()).toBeLessThan(1500);
  });

  it('a resolver with the name in its negative cache is asked rarely, and again when that expires', async () => {
    const { queries, late } = await met({ deniesNames: true }, 25_000);
    expect(queries.filter(({ at }) => at > 4000 && at < 29_500).length).toBeLessThanOrEqual(5);
    expect(late).toBeLessThan(5500);
  });
});

it('timers that fire a little early, and a clock that moves on between two readings, make the wait miss nothing', async () => {
  for (let step = 0.05; step < 1; step += 0.05) {
    const { time, cluster, wait } = virtualWorld();
    let passed = 0;
    const clock = {
      sleep: (ms: number, signal: AbortSignal) => time.sleep(Math.max(0, ms - 1), signal),
      now: () => {
        passed += step;
        return time.now() + passed;
      },
    };
    cluster.set(live, 'refuses');
    time.at(1000, () => cluster.publish(parentName, live));
    time.at(3000, () => cluster.set(live, 'listens'));
    const waiting = wait({ clock });
    await time.run(60_000);
    expect(waiting.foundAt(), `${step}`).toBeLessThan(4000);
  }
});

describe('a wait reason', () => {
  it('has its begin, the attempts, and the time of the next query', async () => {
    const { reasons } = await met({}, 5000, sibling);
    const times = reasons.map(({ asksNext = Number.NaN }) => asksNext);
    expect(times.every((time, index) => index === 0 || time >= (times[index - 1] ?? 0))).toBe(true);
    expect(new Set(reasons.map(({ since }) => since)).size).toBe(1);
    const [early, late] = [reasons[0], reasons.at(-1)] as [WaitReason, WaitReason];
    expect(early).toMatchObject({
      since: expect.closeTo(2, -1),
      questions: 1,
      connections: 0,
      addresses: [],
    });
    expect(late.questions).toBeGreaterThan(8);
  });

  it('is logged when it is new, with readable times', () => {
    const log = recordedLog();
    const { record: tell, last } = createReasonLog('mc-0', log);
    const reason: WaitReason = {
      waitingFor: 'name',
      seen: 'no such service, or it publishes no pod',
      since: 0,
      asksNext: 1500,
      addresses: [],
      questions: 1,
      connections: 0,
    };
    for (const questions of [1, 2, 3]) tell({ ...reason, questions });
    tell({ ...reason, seen: 'no such name' });
    expect(log.lines).toEqual([
      [
        'info',
        "Waiting for the parent's name: no such service, or it publishes no pod",
        {
          parent: 'mc-0',
          waitingFor: 'name',
          seen: 'no such service, or it publishes no pod',
          since: '1970-01-01T00:00:00.000Z',
          asksNext: '1970-01-01T00:00:01.500Z',
          addresses: [],
          questions: 1,
          connections: 0,
        },
      ],
      ['info', "Waiting for the parent's name: no such name", expect.anything()],
    ]);
    expect(describeReason(last() as WaitReason)).toBe('waiting for its name: no such name');
  });
});

describe('unassigned types', () => {
  it('ask for existence: none of them is assigned (RFC 6895), and no two pods of 400 have one in common', async () => {
    const { time, cluster, wait } = virtualWorld();
    const stop = new AbortController();
    for (let rank = 1; rank < 400; rank++)
      wait({ rank, size: 400, signal: stop.signal }).found.catch(() => undefined);
    await time.run(30_000);
    stop.abort();
    const asked = cluster.queries.filter(({ name }) => name === parentName);
    const numbers = asked.map(({ type }) => Number(type.replace('UNKNOWN_', '')));
    expect(numbers.every((number) => number >= 1024 && number <= 65_534)).toBe(true);
    expect(numbers.some((number) => number === 32_768 || number === 32_769)).toBe(false);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(400 * 12);
  });
});
