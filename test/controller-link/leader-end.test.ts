import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { controllerLinkPath, type Report } from '../../agent/controller-link/report.ts';
import { controllerKey, instanceKey, linkSigner } from '../../agent/link/key.ts';
import { linkHeader, signProof, signRequest } from '../../agent/link/protocol.ts';
import type { ControllerLinkOptions } from '../../controller/leader-link/controller-end.ts';
import {
  jobs,
  key,
  miniClusterName,
  openLink,
  reportsOf,
  type StartedLeader,
  startLeader,
} from '../support/agent/controller-links.ts';
import { middleman } from '../support/agent/middleman.ts';
import {
  key as keyOfInstance,
  openLink as openParentLink,
  secretKey,
  startParent,
} from '../support/agent/parent-links.ts';
import { connectRaw, get, patience } from '../support/agent/raw-client.ts';

const online = (brokersOnline: number, running = 0): Report => ({
  kind: 'report',
  size: 4,
  brokersOnline,
  jobs: jobs(running),
});
const poll = <T>(read: () => T) => expect.poll(read, patience);

describe('a controller that has a link', () => {
  it('gets a report at once, and another for each change', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    const { reports } = await reportsOf(leader);
    await poll(() => reports).toEqual([online(1)]);
    leader.change({ brokersOnline: 4 });
    await poll(() => reports).toEqual([online(1), online(4)]);
    leader.change({ jobs: jobs(2) });
    await poll(() => reports).toEqual([online(1), online(4), online(4, 2)]);
  });

  it('gets no line where nothing has changed', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    const { reports } = await reportsOf(leader);
    await poll(() => reports.length).toBe(1);
    for (let n = 0; n < 10; n++) {
      leader.change({ brokersOnline: 1, jobs: jobs(0) });
      await turn();
    }
    leader.change({ brokersOnline: 2 });
    await poll(() => reports).toEqual([online(1), online(2)]);
  });

  it('gets the last of many changes that come at once', async () => {
    const times = { betweenMs: 200, firstMs: 60_000 };
    await using leader = await startLeader({ times, facts: { brokersOnline: 1, jobs: jobs(0) } });
    const { reports } = await reportsOf(leader);
    await poll(() => reports.length).toBe(1);
    for (let running = 1; running <= 100; running++) leader.change({ jobs: jobs(running) });
    await poll(() => reports).toEqual([online(1), online(1, 100)]);
  });

  it('gets the brokers online without job states where these do not come', async () => {
    const times = { betweenMs: 1, firstMs: 10 };
    await using leader = await startLeader({ times, facts: { brokersOnline: 1 } });
    const { reports } = await reportsOf(leader);
    await poll(() => reports).toEqual([{ kind: 'report', size: 4, brokersOnline: 1 }]);
    leader.change({ jobs: jobs(0) });
    await poll(() => reports.at(-1)).toEqual(online(1));
  });

  it('gets the demand of the queue, the longest too, in one line', async () => {
    const unfit = { id: 'f'.repeat(20), why: 'ƒ'.repeat(160) };
    const most = 2 ** 31 - 1;
    const counts = { wanted: most, busy: most, idle: most, active: most, unfitCount: most };
    const demand = { ...counts, reason: 'ƒ'.repeat(160), unfit: [unfit, unfit, unfit, unfit] };
    await using leader = await startLeader({
      facts: { brokersOnline: 1, jobs: jobs(most, most, most), demand },
    });
    const { reports } = await reportsOf(leader);
    await poll(() => reports).toEqual([{ ...online(1), jobs: jobs(most, most, most), demand }]);
  });

  it('has one link: a newer one of the same name replaces the older', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    const older = await reportsOf(leader);
    const newer = await reportsOf(leader);
    await older.broken;
    leader.change({ brokersOnline: 2 });
    await poll(() => newer.reports).toEqual([online(1), online(2)]);
    expect(older.reports).not.toContainEqual(online(2));
  });
});

describe('several controllers', () => {
  it('get the same reports, and the instance is watched once', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    const one = await reportsOf(leader, { holder: 'one' });
    await poll(() => one.reports.length).toBe(1);
    const other = await reportsOf(leader, { holder: 'other' });
    await poll(() => other.reports.length).toBe(1);
    leader.change({ brokersOnline: 3 });
    for (const { reports } of [one, other]) await poll(() => reports).toEqual([online(1), online(3)]);
    expect(leader.watches()).toBe(1);
  });

  it('are four at most: the oldest gives way', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    const links = [];
    for (const holder of ['a', 'b', 'c', 'd', 'e', 'f']) links.push(await reportsOf(leader, { holder }));
    await Promise.all(links.slice(0, 2).map(({ broken }) => broken));
    leader.change({ brokersOnline: 2 });
    for (const { reports } of links.slice(2)) await poll(() => reports.at(-1)).toEqual(online(2));
  });
});

describe('the instance', () => {
  it('is watched only while a controller has a link', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    expect(await openLink(leader, { key: controllerKey('other', miniClusterName) })).toBe('foreign');
    expect(leader.watches()).toBe(0);
    const [one, other] = [
      await reportsOf(leader, { holder: 'one' }),
      await reportsOf(leader, { holder: 'other' }),
    ];
    one.release();
    await one.broken;
    leader.change({ brokersOnline: 2 });
    await poll(() => other.reports.at(-1)).toEqual(online(2));
    other.release();
    await poll(leader.isWatched).toBe(false);
    const again = await reportsOf(leader);
    await poll(() => again.reports).toEqual([online(1)]);
    expect(leader.watches()).toBe(2);
  });
});

describe('a link', () => {
  const refused: [string, Partial<ControllerLinkOptions>][] = [
    ['with another certificate', { key: controllerKey('other', miniClusterName) }],
    ['of another namespace', { key: controllerKey(secretKey, { ...miniClusterName, namespace: 'other' }) }],
    ['of another MiniCluster', { key: controllerKey(secretKey, { ...miniClusterName, cluster: 'other' }) }],
    ['with the key of parent links', { key: keyOfInstance }],
    ['with the key of a parent link of the same name', { key: instanceKey(secretKey, ['default', 'mc']) }],
    ['with a name that is none', { holder: 'two words' }],
    ['with a name of 129 characters', { holder: 'x'.repeat(129) }],
  ];
  it.each(refused)('is refused to a controller %s', async (_, options) => {
    await using leader = await startLeader();
    expect(await openLink(leader, options)).toBe('foreign');
    expect(leader.watches()).toBe(0);
  });

  it('is refused by a follower, and by an agent that has none', async () => {
    await using follower = await startParent({ rank: 2 });
    follower.begin(keyOfInstance);
    expect(await openLink(follower, {})).toBe('foreign');
  });

  it('of a child is refused to a controller, whichever rank it calls itself', async () => {
    await using parent = await startParent();
    parent.begin(keyOfInstance);
    expect(await openParentLink(parent, { key })).toBe('foreign');
  });

  it('is not opened by a request that was recorded, which closes none and has nothing watched', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    await using between = await middleman(leader);
    const recorded = await reportsOf(between);
    await poll(() => recorded.reports.length).toBe(1);
    const replay = connect(leader.port, leader.host).setEncoding('latin1');
    let answer = '';
    replay.on('data', (text: string) => {
      answer += text;
    });
    replay.write(between.recording.request, 'latin1');
    await once(replay, 'close');
    expect(answer).toMatch(/"hello"/);
    expect(answer).not.toMatch(/"report"/);
    leader.change({ brokersOnline: 2 });
    await poll(() => recorded.reports.at(-1)).toEqual(online(2));
    recorded.release();
    await poll(leader.isWatched).toBe(false);
    await using again = await middleman(leader);
    connect(leader.port, leader.host).write(between.recording.request, 'latin1');
    // The connection that comes after it has been served: so has the replay.
    const { reports } = await reportsOf(again);
    await poll(() => reports.length).toBe(1);
    expect(leader.watches()).toBe(2);
  });

  it('breaks where a report is changed, and what follows is not heard', async () => {
    await using leader = await startLeader({ facts: { brokersOnline: 1, jobs: jobs(0) } });
    await using between = await middleman(leader, (piece) => [
      piece.replace('"brokersOnline":1', '"brokersOnline":9'),
    ]);
    const { reports, broken } = await reportsOf(between);
    await broken;
    expect(reports).toEqual([]);
  });

  it('is lost to a controller that reads nothing', async () => {
    await using leader = await startLeader({
      times: { betweenMs: 0, firstMs: 60_000 },
      facts: { brokersOnline: 1, jobs: jobs(0) },
    });
    const slow = await rawLink(leader);
    await poll(leader.isWatched).toBe(true);
    slow.socket.pause();
    // More than the kernel takes.
    for (let n = 0; leader.isWatched(); n++) {
      leader.change({ jobs: jobs(1_000_000_000 + n, 1_000_000_000, 1_000_000_000) });
      if (n % 100 === 0) await turn();
    }
    slow.socket.destroy();
  }, 60_000);
});

/** A link of a controller that is in no hurry to read. */
async function rawLink({ port }: StartedLeader) {
  const client = await connectRaw(port);
  const name = { rank: 0, peer: 'slow', nonce: '0'.repeat(32) };
  const signer = linkSigner(key, name);
  const headers = `${linkHeader}: ${signRequest(name, signer)}\r\ntransfer-encoding: chunked\r\n`;
  client.socket.write(get(controllerLinkPath, headers).replace('GET', 'POST'));
  const challenge = () => /"challenge":"(\w+)"/.exec(client.text())?.[1];
  await poll(challenge).toBeDefined();
  client.socket.write(`40\r\n${signProof(challenge() ?? '', signer)}\r\n0\r\n\r\n`);
  return client;
}
