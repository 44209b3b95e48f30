import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTopology } from '../../agent/cluster/topology.ts';
import { instanceKey } from '../../agent/link/key.ts';
import type { OpenLink } from '../../agent/link/open-link.ts';
import { linkHeader } from '../../agent/link/protocol.ts';
import { type Announcement, parentLinkPath } from '../../agent/parent-link/announcement.ts';
import type { ParentLinkOptions } from '../../agent/parent-link/child-end.ts';
import {
  heldLink,
  instance,
  key,
  listen,
  openLink,
  secretKey,
  startParent,
} from '../support/agent/parent-links.ts';

const stopping: Announcement = { kind: 'stopping', signal: 'SIGTERM' };
const ending: Announcement = { kind: 'ending' };
const outcome: Announcement = { kind: 'outcome', code: 7, sentence: 'The program exited with code 7' };

describe('a parent link', () => {
  let parent: Awaited<ReturnType<typeof startParent>>;
  beforeEach(async () => {
    parent = await startParent();
  });
  afterEach(() => parent[Symbol.asyncDispose]());

  const statusOf = async (headers: Record<string, string> = {}): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    request({ host: parent.host, port: parent.port, method: 'POST', path: parentLinkPath, headers })
      .on('response', (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
    return promise;
  };

  it('is closed by a child whose parent sends more than a few lines', async () => {
    let heard = 0;
    parent.begin(key);
    const link = await openLink(parent, { onMessage: () => void heard++ });
    if (typeof link === 'string') throw new Error(link);
    let isBroken = false;
    void link.broken.then(() => {
      isBroken = true;
    });
    let said = 0;
    for (; !isBroken && said < 5000; said++) {
      parent.announce(stopping);
      // The parent itself gives up a child that does not read.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(said).toBeLessThan(5000);
    expect(heard).toBeGreaterThan(50);
  });

  it('names the broker that it belongs to, and carries what is announced, also to a child that comes later', async () => {
    parent.begin(key);
    const heard: Announcement[] = [];
    const early = await heldLink(parent, { onMessage: (message) => heard.push(message) });
    const announced = [stopping, ending, outcome];
    for (const message of announced) parent.announce(message);
    await expect.poll(() => heard).toEqual(announced);
    const late: Announcement[] = [];
    const other = await heldLink(parent, {
      ranks: { parent: 0, child: 2 },
      onMessage: (message) => late.push(message),
    });
    await expect.poll(() => late).toEqual(heard);
    expect(other.incarnation).toBe(early.incarnation);
    early.release();
    other.release();
    await parent.settled(60_000, []);
  });

  const refused: [string, Partial<ParentLinkOptions>][] = [
    ['with another certificate', { key: instanceKey('other', instance) }],
    ['of another namespace', { key: instanceKey(secretKey, ['other', 'mc', 'mc-[0-9]']) }],
    ['of another cluster', { key: instanceKey(secretKey, ['default', 'other', 'mc-[0-9]']) }],
    ['of another host list', { key: instanceKey(secretKey, ['default', 'mc', 'mc-[0-8]']) }],
    ['that looks for another rank', { ranks: { parent: 2, child: 1 } }],
    ['that is no child in the tree', { ranks: { parent: 0, child: 10 } }],
    ['that is the parent itself', { ranks: { parent: 0, child: 0 } }],
  ];
  it.each(refused)('is refused to a pod %s', async (_, options) => {
    parent.begin(key);
    expect(await openLink(parent, options)).toBe('foreign');
  });

  it('is not served before there is a broker', async () => {
    expect(await openLink(parent)).toBe('unavailable');
  });

  it.each([
    ['no header', {}],
    ['a header of another form', { [linkHeader]: 'x' }],
    ['a MAC that is not its own', { [linkHeader]: `1 0 ${'0'.repeat(32)} ${'0'.repeat(64)}` }],
  ])('is refused to a request with %s', async (_, headers) => {
    parent.begin(key);
    expect(await statusOf(headers)).toBe(403);
  });

  it('is one a child: a newer one of the same rank replaces the older', async () => {
    parent.begin(key);
    const heard: Announcement[] = [];
    const older = await heldLink(parent);
    const newer = await heldLink(parent, { onMessage: (message) => heard.push(message) });
    await older.broken;
    parent.announce(outcome);
    await expect.poll(() => heard).toEqual([outcome]);
    newer.release();
    await parent.settled(60_000, []);
  });

  it('breaks when the parent’s broker or agent has ended, and another broker is another incarnation', async () => {
    parent.begin(key);
    const first = await heldLink(parent);
    parent.interrupt();
    await first.broken;
    expect(await openLink(parent)).toBe('unavailable');
    parent.begin(key);
    const second = await heldLink(parent);
    expect(second.incarnation).not.toBe(first.incarnation);
    await parent[Symbol.asyncDispose]();
    await second.broken;
    expect(await openLink(parent)).toBe('unavailable');
    parent = await startParent();
  });

  it('breaks when a broker starts with another certificate', async () => {
    parent.begin(key);
    const link = await heldLink(parent);
    const renewed = instanceKey('renewed', instance);
    parent.begin(renewed);
    await link.broken;
    expect(await openLink(parent)).toBe('foreign');
    await heldLink(parent, { key: renewed });
  });

  it('without an outcome breaks at once when the parent ends', async () => {
    parent.begin(key);
    const link = await heldLink(parent);
    await parent.settled(60_000, []);
    await link.broken;
  });

  it('is awaited from a child whose broker has joined, also when the outcome is there first', async () => {
    parent.begin(key);
    const other = await heldLink(parent, { ranks: { parent: 0, child: 2 } });
    other.release();
    await other.broken;
    parent.announce(outcome);
    let isSettled = false;
    const settled = parent.settled(60_000, [1, 2]).then(() => {
      isSettled = true;
    });
    const heard: Announcement[] = [];
    const link = await heldLink(parent, { onMessage: (message) => heard.push(message) });
    await expect.poll(() => heard).toEqual([outcome]);
    expect(isSettled).toBe(false);
    link.release();
    await settled;
  });

  it('with an outcome that a child does not take is waited for no longer than asked', async () => {
    parent.begin(key);
    await heldLink(parent);
    parent.announce(outcome);
    await parent.settled(20, []);
  });
});

it('a parent serves six hundred children, and each receives the outcome', async () => {
  const tree = createTopology({ scheme: 'custom' }, 601);
  await using parent = await startParent({ tree });
  parent.begin(key);
  let received = 0;
  const all = Promise.withResolvers<void>();
  const onMessage: ParentLinkOptions['onMessage'] = (message) => {
    if (message.kind === 'outcome' && ++received === 600) all.resolve();
  };
  const links: OpenLink[] = [];
  // Fifty at once: a child has five seconds for its proof, also on a machine that has other work.
  for (let first = 1; first <= 600; first += 50) {
    const children = Array.from({ length: 50 }, (_, index) => first + index);
    const open = (child: number) => heldLink(parent, { ranks: { parent: 0, child }, onMessage });
    links.push(...(await Promise.all(children.map(open))));
  }
  parent.announce(outcome);
  await all.promise;
  expect(received).toBe(600);
  for (const link of links) link.release();
  await parent.settled(60_000, []);
});

it('a pod that listens nowhere is unavailable', async () => {
  const parent = await listen(() => undefined);
  await parent[Symbol.asyncDispose]();
  expect(await openLink(parent)).toBe('unavailable');
});
