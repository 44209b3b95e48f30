import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { NoLink } from '../../../agent/link/open-link.ts';
import { systemClock } from '../../../controller/kubernetes/controller-clock.ts';
import type { LeaderTarget } from '../../../controller/leader-link/leader-target.ts';
import { createLeaders, type LeadersOptions } from '../../../controller/leader-link/leaders.ts';
import { jobs, key, reportsOf, startLeader } from '../../support/agent/controller-links.ts';
import { listen, listening, patient } from '../../support/agent/parent-links.ts';
import { patience } from '../../support/agent/raw-client.ts';
import { demandOf } from '../../support/kubernetes/fake-leaders.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);

/** The links of a controller, and what it was called for. */
function startLeaders(options: Partial<LeadersOptions> = {}) {
  const changes: string[] = [];
  const failures: NoLink[] = [];
  const leaders = createLeaders({
    holder: 'test',
    onChange: (cluster) => changes.push(cluster),
    onFailure: (_, why) => failures.push(why),
    reportMs: 1,
    backoff: { first: 1, most: 20 },
    deadlines: patient,
    ...options,
  });
  return { ...leaders, changes, failures, [Symbol.dispose]: leaders.close };
}

const targetOf = ({ host, port }: { host: string; port: number }, uid = 'a'): LeaderTarget => ({
  host,
  port,
  uid,
  key,
});

describe('a leader that is followed', () => {
  it('counts with its report, and each time that it reports another', async () => {
    await using agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders();
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    expect(follow()).toBe('pending');
    await poll(follow).toEqual({ brokersOnline: 2, jobs: jobs(0) });
    agent.change({ brokersOnline: 1 });
    await poll(follow).toEqual({ brokersOnline: 1, jobs: jobs(0) });
    expect(leaders.changes).toEqual(['hpc/mc', 'hpc/mc']);
  });

  it('counts at once with its first report, then with the last of many', async () => {
    await using agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders({ reportMs: 1000 });
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(() => leaders.changes.length).toBe(1);
    const from = performance.now();
    for (let running = 1; running <= 50; running++) {
      agent.change({ jobs: jobs(running) });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await poll(follow).toEqual({ brokersOnline: 2, jobs: jobs(50) });
    // On a machine where fifty changes take longer, there may be more of them.
    expect(leaders.changes.length).toBeLessThanOrEqual(2 + (performance.now() - from) / 1000);
  });

  it('counts at once with a larger demand, and with ranks that are free, however short ago the last report counted', async () => {
    await using agent = await startLeader({
      facts: { brokersOnline: 2, jobs: jobs(0), demand: demandOf(2) },
    });
    using leaders = startLeaders({ reportMs: 3_600_000 });
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toMatchObject({ demand: { wanted: 2 } });
    agent.change({ demand: demandOf(6) });
    await poll(follow).toMatchObject({ demand: { wanted: 6 } });
    agent.change({ freed: 4 });
    await poll(follow).toMatchObject({ freed: 4 });
    const changes = leaders.changes.length;
    agent.change({ demand: demandOf(6, { idle: 3 }) });
    agent.change({ freed: 2 });
    await poll(follow).toMatchObject({ freed: 2, demand: { idle: 3 } });
    expect(leaders.changes.length).toBeLessThanOrEqual(changes + 1);
  });

  it('counts at once with a job where none was active, and not with one more', async () => {
    await using agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders({ reportMs: 3_600_000 });
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toMatchObject({ jobs: jobs(0) });
    const seen = await reportsOf(agent, { holder: 'other' });
    agent.change({ jobs: jobs(0, 0, 1) });
    await poll(follow).toMatchObject({ jobs: jobs(0, 0, 1) });
    for (const counts of [jobs(1), jobs(2), jobs(0, 2), jobs(1, 2)]) {
      agent.change({ jobs: counts });
      await poll(() => seen.reports.at(-1)?.jobs).toEqual(counts);
    }
    agent.change({ freed: 1 });
    await poll(follow).toMatchObject({ freed: 1, jobs: jobs(1, 2) });
    expect(leaders.changes).toHaveLength(3);
  });

  it('does not count at once with a demand that goes down and up again', async () => {
    await using agent = await startLeader({
      facts: { brokersOnline: 2, jobs: jobs(0), demand: demandOf(6) },
    });
    using leaders = startLeaders({ reportMs: 3_600_000 });
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toMatchObject({ demand: { wanted: 6 } });
    const seen = await reportsOf(agent, { holder: 'other' });
    for (const wanted of [3, 6, 4, 5]) {
      agent.change({ demand: demandOf(wanted) });
      await poll(() => seen.reports.at(-1)?.demand?.wanted).toBe(wanted);
    }
    agent.change({ freed: 5 });
    await poll(follow).toMatchObject({ freed: 5, demand: { wanted: 5 } });
    expect(leaders.changes).toHaveLength(2);
  });

  it('counts no more when its link has broken, and again when there is a new one', async () => {
    const agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders();
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toBeTypeOf('object');
    await agent[Symbol.asyncDispose]();
    await poll(follow).toBeUndefined();
    await poll(() => leaders.failures).toEqual(['unavailable']);
    await using _ = await startLeader({ port: agent.port, facts: { brokersOnline: 3, jobs: jobs(0) } });
    await poll(follow).toEqual({ brokersOnline: 3, jobs: jobs(0) });
  });

  it('counts no more at once when its link has broken, where it had a demand', async () => {
    const agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0), demand: demandOf(2) } });
    using leaders = startLeaders({ reportMs: 3_600_000 });
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toBeTypeOf('object');
    await agent[Symbol.asyncDispose]();
    await poll(follow).toBeUndefined();
  });

  it('counts no more at once when its pod is replaced or no longer ready, and its link is closed', async () => {
    await using agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders({ reportMs: 60_000 });
    leaders.follow('hpc/mc', targetOf(agent));
    await poll(() => leaders.follow('hpc/mc', targetOf(agent))).toBeTypeOf('object');
    expect(leaders.follow('hpc/mc', targetOf(agent, 'another pod'))).toBe('pending');
    await poll(() => leaders.follow('hpc/mc', targetOf(agent, 'another pod'))).toBeTypeOf('object');
    expect(leaders.follow('hpc/mc', undefined)).toBeUndefined();
    await poll(agent.isWatched).toBe(false);
  });

  it('is not the leader of another MiniCluster', async () => {
    await using one = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    await using other = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    using leaders = startLeaders();
    leaders.follow('hpc/one', targetOf(one));
    leaders.follow('hpc/other', targetOf(other));
    await poll(() => leaders.follow('hpc/one', targetOf(one))).toMatchObject({ brokersOnline: 1 });
    await poll(() => leaders.follow('hpc/other', targetOf(other))).toMatchObject({ brokersOnline: 2 });
    leaders.follow('hpc/one', undefined);
    await poll(one.isWatched).toBe(false);
    expect(other.isWatched()).toBe(true);
  });

  it('that answers as an agent too old for links is asked again after the longest backoff', async () => {
    await using agent = await startLeader({ key: Buffer.from('another certificate') });
    using leaders = startLeaders({ backoff: { first: 1, most: 3_600_000 } });
    leaders.follow('hpc/mc', targetOf(agent));
    await poll(() => leaders.failures).toEqual(['foreign']);
    expect(leaders.follow('hpc/mc', targetOf(agent))).toBeUndefined();
  });

  it('is told of once, as soon as it answers as another one, also where nothing answered before', async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      if (++asked === 1) response.destroy();
      else response.writeHead(404).end();
    });
    await using other = await listening(server);
    using leaders = startLeaders({ backoff: { first: 1, most: 3_600_000 } });
    leaders.follow('hpc/mc', targetOf(other));
    await poll(() => leaders.failures).toEqual(['foreign']);
    expect(asked).toBe(2);
  });

  it('is asked again and again where nothing answers yet', async () => {
    let asked = 0;
    await using silent = await listen((socket) => {
      asked++;
      socket.destroy();
    });
    using leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(silent));
    await poll(() => asked).toBeGreaterThan(5);
    expect(leaders.failures).toEqual(['unavailable']);
  });

  it('is asked again when the backoff is over by the clock that is given', async () => {
    let asked = 0;
    await using silent = await listen((socket) => {
      asked++;
      socket.destroy();
    });
    const waits: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after: (_: number, act: () => void) => {
        waits.push(act);
        return () => undefined;
      },
    };
    using leaders = startLeaders({ clock });
    leaders.follow('hpc/mc', targetOf(silent));
    await poll(() => waits.length).toBe(1);
    expect(asked).toBe(1);
    waits[0]?.();
    await poll(() => waits.length).toBe(2);
    expect(asked).toBe(2);
  });

  it('loses its link with the controller', async () => {
    await using agent = await startLeader({ facts: { brokersOnline: 2, jobs: jobs(0) } });
    const leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(agent));
    await poll(agent.isWatched).toBe(true);
    leaders.close();
    await poll(agent.isWatched).toBe(false);
  });
});
