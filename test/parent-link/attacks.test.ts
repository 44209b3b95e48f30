/** A man in the middle, who has no certificate: what he records, and what he makes of it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createTopology } from '../../agent/cluster/topology.ts';
import { instanceKey } from '../../agent/link/key.ts';
import type { Announcement } from '../../agent/parent-link/announcement.ts';
import type { ParentLinkOptions } from '../../agent/parent-link/child-end.ts';
import { couple, middleman, type Recording } from '../support/agent/middleman.ts';
import { heldLink, key, listen, openLink, secretKey, startParent } from '../support/agent/parent-links.ts';

const stopping: Announcement = { kind: 'stopping', signal: 'SIGTERM' };
const outcome: Announcement = { kind: 'outcome', code: 0, sentence: 'The program exited with code 0' };
type Parent = Awaited<ReturnType<typeof startParent>>;

/** What a parent and its child say when `announced` is announced. */
async function recordingOf(
  parent: Parent,
  announced: readonly Announcement[],
  options: Partial<ParentLinkOptions> = {},
): Promise<Recording> {
  await using server = await middleman(parent);
  const heard: Announcement[] = [];
  const link = await heldLink(server, { ...options, onMessage: (message) => heard.push(message) });
  for (const message of announced) parent.announce(message);
  await expect.poll(() => heard.length).toBe(announced.length);
  link.release();
  await link.broken;
  return server.recording;
}

describe('an outcome of another is not heard', () => {
  const others: [string, Buffer, number][] = [
    ['another namespace', instanceKey(secretKey, ['other', 'mc', 'mc-[0-9]']), 0],
    ['another cluster', instanceKey(secretKey, ['default', 'other', 'mc-[0-9]']), 0],
    ['another host list', instanceKey(secretKey, ['default', 'mc', 'mc-[0-3]']), 0],
    ['fields that only joined are the same', instanceKey(secretKey, ['default', 'mc,mc-[0-9]']), 0],
    ['another rank of the instance', key, 2],
  ];

  it.each(others)('%s: in place of the hello, or after it', async (_, otherKey, rank) => {
    await using other = await startParent({ rank, tree: rank === 0 ? undefined : chain });
    other.begin(otherKey);
    const ranks = rank === 0 ? { parent: 0, child: 1 } : { parent: rank, child: rank + 1 };
    const { answer } = await recordingOf(other, [outcome], { key: otherKey, ranks });

    const heard: Announcement[] = [];
    const onMessage = (message: Announcement) => heard.push(message);
    await using fake = await listen((socket) =>
      socket.once('data', () => socket.write(answer.join(''), 'latin1')),
    );
    expect(await openLink(fake, { onMessage })).toBe('foreign');

    await using parent = await startParent();
    parent.begin(key);
    const [, , line = ''] = answer;
    await using server = await middleman(parent, (piece, index) => (index === 1 ? [piece, line] : [piece]));
    await (await heldLink(server, { onMessage })).broken;
    expect(heard).toEqual([]);
  });

  it('a parent with the certificate, asked in the name of another instance, does not answer', async () => {
    await using other = await startParent();
    other.begin(instanceKey(secretKey, ['default', 'other', 'other-[0-9]']));
    await using server = await middleman(other);
    expect(await openLink(server)).toBe('foreign');
    expect(server.recording.answer[0]).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('a request names its child and its parent, and no other pod', () => {
  const renamed: [string, { child: number; rank: number }, string][] = [
    ['another child', { child: 1, rank: 0 }, '2 0 '],
    ['another parent', { child: 3, rank: 2 }, '3 2 '],
  ];

  it.each(renamed)('when it is changed to %s, it is refused', async (_, { child, rank }, names) => {
    await using parent = await startParent({ rank, tree: rank === 0 ? undefined : chain });
    parent.begin(key);
    await using server = await listen((socket) => {
      const upstream = connect(parent.port, parent.host);
      socket.setEncoding('latin1').on('data', (text: string) => {
        upstream.write(text.replace(`: ${child} 0 `, `: ${names}`), 'latin1');
      });
      upstream.pipe(socket);
      couple(socket, upstream);
    });
    expect(await openLink(server, { ranks: { parent: 0, child } })).toBe('foreign');
  });
});

const chain = createTopology({ scheme: 'kary', k: 1 }, 10);

describe('what was recorded is of no use', () => {
  it('a request: it opens no link, and the child keeps its own', async () => {
    await using parent = await startParent();
    parent.begin(key);
    await using server = await middleman(parent);
    const heard: Announcement[] = [];
    const link = await heldLink(server, { onMessage: (message) => heard.push(message) });
    parent.announce(stopping);
    await expect.poll(() => heard).toEqual([stopping]);

    const replay = connect(parent.port, parent.host).setEncoding('latin1');
    let answer = '';
    replay.on('data', (text: string) => {
      answer += text;
    });
    replay.write(server.recording.request, 'latin1');
    await once(replay, 'close');
    expect(answer).toMatch(/"hello"/);
    expect(answer).not.toMatch(/"stopping"/);
    parent.announce(outcome);
    await expect.poll(() => heard).toEqual([stopping, outcome]);
    link.release();
    await parent.settled(60_000, []);
  });

  it('a request without what answers the challenge: the same, however many there are', async () => {
    await using parent = await startParent();
    parent.begin(key);
    await using server = await middleman(parent);
    const heard: Announcement[] = [];
    const link = await heldLink(server, { onMessage: (message) => heard.push(message) });
    const [head] = server.recording.request.split('\r\n\r\n');
    const replays = Array.from({ length: 50 }, () => connect(parent.port, parent.host));
    for (const replay of replays) replay.write(`${head}\r\n\r\n`);
    await Promise.all(replays.map((replay) => once(replay, 'data')));
    parent.announce(outcome);
    await expect.poll(() => heard).toEqual([outcome]);
    link.release();
    // Were a replay a link, it would be waited for.
    await parent.settled(60_000, []);
    for (const replay of replays) replay.destroy();
  });

  it('an answer: to another request it is none', async () => {
    await using parent = await startParent();
    parent.begin(key);
    const { answer } = await recordingOf(parent, [outcome]);
    await using server = await listen((socket) =>
      socket.once('data', () => socket.write(answer.join(''), 'latin1')),
    );
    expect(await openLink(server)).toBe('foreign');
  });
});

describe('a link breaks where lines are', () => {
  const lost: string[] = [];
  const changes: [string, (piece: string, index: number) => string[], Announcement[]][] = [
    ['replayed', (piece, index) => (index === 2 ? [piece, piece] : [piece]), [stopping]],
    ['left out', (piece, index) => (index === 2 ? [] : [piece]), []],
    [
      'reordered',
      (piece, index) => {
        if (index === 2) lost.push(piece);
        return index < 2 ? [piece] : index === 2 ? [] : [piece, ...lost];
      },
      [],
    ],
    ['changed', (piece) => [piece.replace('"code":0', '"code":1')], [stopping]],
  ];

  it.each(changes)('%s, and what follows is not heard', async (_, change, expected) => {
    await using parent = await startParent();
    parent.begin(key);
    await using server = await middleman(parent, change);
    const heard: Announcement[] = [];
    const link = await heldLink(server, { onMessage: (message) => heard.push(message) });
    parent.announce(stopping);
    parent.announce(outcome);
    await link.broken;
    expect(heard).toEqual(expected);
  });
});

it('neither the certificate’s secret key nor the instance’s key crosses the network', async () => {
  await using parent = await startParent();
  parent.begin(key);
  const { request, answer } = await recordingOf(parent, [outcome]);
  for (const secret of [secretKey, key.toString('hex'), key.toString('base64'), key.toString('latin1')])
    expect(request + answer.join('')).not.toContain(secret);
});
