import { afterEach, describe, expect, it } from 'vitest';
import { connectFlux } from '../../agent/flux/client.ts';
import { shrinkReason, stoppingReason } from '../../agent/flux/drain-reasons.ts';
import { createFreeRanks } from '../../agent/instance/free-ranks.ts';
import { patience } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';
import { type FakeResources, startFakeResources } from '../support/flux/fake-resources.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);
const size = 4;
const hour = 3_600_000;

/** Nothing is tried again within a test unless it asks for that. */
const still = { betweenMs: 1, backoff: { first: hour, most: hour }, lapseMs: hour };

/** The agent of a test: without its end it would connect every millisecond from then on. */
let running = new AbortController();
afterEach(() => {
  running.abort();
  running = new AbortController();
});

function start({ path }: FakeResources, times: Partial<typeof still> = {}) {
  const heard: (number | undefined)[] = [];
  const life = new AbortController();
  const ranks = createFreeRanks({
    size,
    connect: (how) => connectFlux(path, how),
    signal: running.signal,
    log: recordedLog(),
    times: { ...still, ...times },
    retry: { least: 1, most: 1 },
  });
  ranks.watch(({ freed }) => heard.push(freed), life.signal);
  return { ...ranks, heard, leave: () => life.abort(), freed: () => heard.at(-1) };
}

/** Both ends are of this process: what is under way comes within some turns of the loop, however busy the machine is. */
const turnsOfARequest = 50;

async function settled({ topics }: FakeResources): Promise<void> {
  for (let [quiet, before] = [0, topics.length]; quiet < turnsOfARequest; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (topics.length !== before) [quiet, before] = [0, topics.length];
  }
}

describe('a size that is to be kept', () => {
  it('drains the ranks from there on, and is freed when no job is there any more', async () => {
    await using broker = await startFakeResources(size);
    broker.busy.add(1).add(3);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(() => broker.asked).toEqual(['drain 2-3']);
    expect([...broker.drained]).toEqual([2, 3].map((rank) => [rank, shrinkReason(2)]));
    await poll(() => broker.topics.includes('sched.resource-status')).toBe(true);
    broker.busy.delete(1);
    broker.tell('job-list.job-stats');
    expect(ranks.freed()).toBeUndefined();
    broker.busy.delete(3);
    broker.tell('job-list.job-stats');
    await poll(ranks.freed).toBe(2);
    expect(ranks.heard).toEqual([undefined, 2]);
  });

  it('asks the scheduler for its allocations after the drain', async () => {
    await using broker = await startFakeResources(size);
    const ranks = start(broker);
    ranks.keep(3);
    await poll(ranks.freed).toBe(3);
    const order = broker.topics.filter((topic) => /^(resource\.drain|sched\.)/.test(topic));
    expect(order.slice(0, 2)).toEqual(['resource.drain', 'sched.resource-status']);
  });

  it('changes nothing where it is asked for again, and asks nothing while nothing happens', async () => {
    await using broker = await startFakeResources(size);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(ranks.freed).toBe(2);
    await settled(broker);
    const before = broker.topics.length;
    for (let n = 0; n < 10; n++) ranks.keep(2);
    broker.tell('resource.journal', 'restart');
    for (let n = 0; n < 10; n++) broker.tell('job-list.job-stats');
    await settled(broker);
    expect(broker.topics.length).toBe(before);
    broker.tell('resource.journal', 'online');
    await poll(() => broker.topics.slice(before)).toEqual(['resource.status', 'sched.resource-status']);
    expect(broker.asked).toEqual(['drain 2-3']);
    expect(ranks.heard).toEqual([undefined, 2]);
  });

  it('that grows again before its ranks were free takes them back, also while a job is there', async () => {
    await using broker = await startFakeResources(size);
    broker.busy.add(3);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(() => broker.drained.size).toBe(2);
    ranks.keep(3);
    await poll(() => [...broker.drained.keys()]).toEqual([3]);
    ranks.keep(100);
    await poll(ranks.freed).toBe(size);
    expect(broker.drained.size).toBe(0);
    // Nothing is watched any more.
    await poll(() => broker.connections.every(({ socket }) => socket.closed)).toBe(true);
  });

  it('leaves what a user has drained, and is freed all the same', async () => {
    await using broker = await startFakeResources(size);
    broker.drained.set(1, 'mine').set(3, 'mine');
    const ranks = start(broker);
    ranks.keep(2);
    await poll(ranks.freed).toBe(2);
    ranks.keep(size);
    await poll(ranks.freed).toBe(size);
    expect(broker.asked).toEqual(['drain 2', 'undrain 2']);
    expect([...broker.drained.keys()].sort()).toEqual([1, 3]);
  });

  it('is freed no more at once when another one is asked for', async () => {
    await using broker = await startFakeResources(size);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(ranks.freed).toBe(2);
    ranks.keep(1);
    expect(ranks.freed()).toBeUndefined();
    await poll(ranks.freed).toBe(1);
  });

  it('takes over the drain of a pod that stops, which the pod in its place would undo', async () => {
    await using broker = await startFakeResources(size);
    broker.drained.set(3, stoppingReason);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(ranks.freed).toBe(2);
    expect(broker.drained.get(3)).toBe(shrinkReason(2));
  });

  it('is freed no more when a user undrains a rank and a job comes there; the rank is drained again', async () => {
    await using broker = await startFakeResources(size);
    const ranks = start(broker);
    ranks.keep(2);
    await poll(ranks.freed).toBe(2);
    broker.drained.delete(3);
    broker.busy.add(3);
    broker.tell('resource.journal', 'undrain');
    await poll(ranks.freed).toBeUndefined();
    // What was under way then has seen the job before it has seen the rank.
    await poll(() => broker.asked).toEqual(['drain 2-3', 'drain 3']);
  });

  it('is asked for of the broker again after a backoff, where a request has failed', async () => {
    await using broker = await startFakeResources(size);
    broker.refused.set('sched.resource-status', 38);
    const ranks = start(broker, { backoff: { first: 1, most: 5 } });
    ranks.keep(2);
    await poll(
      () => broker.topics.filter((topic) => topic === 'sched.resource-status').length,
    ).toBeGreaterThan(3);
    expect(ranks.freed()).toBeUndefined();
    broker.refused.clear();
    await poll(ranks.freed).toBe(2);
  });

  it('is looked at again after a backoff while a rank is not free, since no stream has the end of housekeeping', async () => {
    await using broker = await startFakeResources(size);
    broker.busy.add(3);
    const ranks = start(broker, { backoff: { first: 1, most: 5 } });
    ranks.keep(3);
    await poll(() => broker.drained.size).toBe(1);
    broker.busy.clear();
    await poll(ranks.freed).toBe(3);
  });

  it('ends with the agent: the broker is asked for nothing more, and what is drained stays so', async () => {
    await using broker = await startFakeResources(size);
    broker.refused.set('sched.resource-status', 38);
    const ranks = start(broker, { backoff: { first: 1, most: 5 }, lapseMs: 20 });
    ranks.keep(2);
    await poll(
      () => broker.topics.filter((topic) => topic === 'sched.resource-status').length,
    ).toBeGreaterThan(3);
    running.abort();
    ranks.leave();
    ranks.keep(size);
    // All connections are closed, and no other one is made.
    await poll(() => broker.connections.filter(({ socket }) => !socket.destroyed)).toEqual([]);
    const connected = broker.connections.length;
    await settled(broker);
    expect(broker.connections).toHaveLength(connected);
    expect([...broker.drained.keys()]).toEqual([2, 3]);
  });

  it('lapses when no controller has been there for long', async () => {
    await using broker = await startFakeResources(size);
    broker.drained.set(3, shrinkReason(3));
    const { keep, leave, freed } = start(broker, { lapseMs: 20 });
    keep(2);
    await poll(freed).toBe(2);
    leave();
    await poll(() => broker.drained.size).toBe(0);
  });

  it('of before the leader was started again lapses as well', async () => {
    await using broker = await startFakeResources(size);
    broker.drained.set(2, shrinkReason(2)).set(3, 'mine');
    start(broker, { lapseMs: 20 }).leave();
    await poll(() => [...broker.drained.values()]).toEqual(['mine']);
  });
});
