/** What a controller asks of a leader over its link, and what others make of that. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { controllerLinkPath } from '../../agent/controller-link/report.ts';
import { controllerKey, linkSigner } from '../../agent/link/key.ts';
import { longestMessage, messageHeader, signMessage } from '../../agent/link/protocol.ts';
import { key, miniClusterName, openLink, startLeader } from '../support/agent/controller-links.ts';
import { couple } from '../support/agent/middleman.ts';
import { type Listening, listen, secretKey } from '../support/agent/parent-links.ts';
import { patience } from '../support/agent/raw-client.ts';

const keep = (size: number) => ({ kind: 'keep', size });

async function linkTo(leader: Listening, holder = 'controller-1') {
  const link = await openLink(leader, { holder });
  if (typeof link === 'string') throw new Error(`no link: ${link}`);
  return link;
}

/** Passes on each connection of a controller to its leader, and keeps what each of them has sent. */
async function tap(leader: Listening, change = (text: string, _connection: number) => text) {
  const requests: string[] = [];
  const server = await listen((socket) => {
    const connection = requests.push('') - 1;
    const upstream = connect(leader.port, leader.host);
    socket.setEncoding('latin1').on('data', (text: string) => {
      requests[connection] += text;
      upstream.write(change(text, connection), 'latin1');
    });
    upstream.pipe(socket);
    couple(socket, upstream);
  });
  return Object.assign(server, { requests });
}

/** What a leader answers to a request as it was recorded. */
async function replay({ host, port }: Listening, request: string): Promise<number> {
  const socket = connect(port, host).setEncoding('latin1');
  let answer = '';
  socket.on('data', (text: string) => {
    answer += text;
  });
  socket.write(request, 'latin1');
  await once(socket, 'data');
  socket.destroy();
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
}

describe('a request of a controller', () => {
  it('is accepted over a link that is open, the same one too, in the order in which they are made', async () => {
    await using leader = await startLeader();
    const link = await linkTo(leader);
    const answers = await Promise.all([3, 2, 2, 4].map((size) => link.request(keep(size))));
    expect(answers).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
    expect(leader.kept).toEqual([3, 2, 2, 4]);
  });

  it('that overtakes the proof of its link is unavailable, not refused, and accepted after it', async () => {
    await using leader = await startLeader();
    let isHeld = true;
    let proof = '';
    let toLeader: Socket | undefined;
    await using between = await listen((socket) => {
      const upstream = connect(leader.port, leader.host);
      const isLink = toLeader === undefined;
      toLeader ??= upstream;
      socket.setEncoding('latin1').on('data', (text: string) => {
        if (isLink && isHeld && !text.startsWith('POST')) proof += text;
        else upstream.write(text, 'latin1');
      });
      upstream.pipe(socket);
      couple(socket, upstream);
    });
    const link = await linkTo(between);
    expect(await link.request(keep(2))).toBe('unavailable');
    await expect.poll(() => proof, patience).not.toBe('');
    isHeld = false;
    toLeader?.write(proof, 'latin1');
    await expect.poll(leader.isWatched, patience).toBe(true);
    expect(await link.request(keep(2))).toBe('accepted');
    expect(leader.kept).toEqual([2]);
  });

  it('is accepted of each controller that has a link: the last one holds', async () => {
    await using leader = await startLeader();
    const [one, other] = [await linkTo(leader, 'one'), await linkTo(leader, 'other')];
    expect(await one.request(keep(2))).toBe('accepted');
    expect(await other.request(keep(3))).toBe('accepted');
    expect(await one.request(keep(1))).toBe('accepted');
    expect(leader.kept).toEqual([2, 3, 1]);
  });

  it.each([
    ['of a kind that the leader does not know', { kind: 'stop' }],
    ['without a size', { kind: 'keep' }],
    ['that would leave nothing', keep(0)],
    ['for half a broker', keep(1.5)],
    ['for more than a size can be', keep(2 ** 31)],
  ])('%s is refused, and the next one is accepted', async (_, message) => {
    await using leader = await startLeader();
    const link = await linkTo(leader);
    expect(await link.request(message)).toBe('refused');
    expect(await link.request(keep(2))).toBe('accepted');
    expect(leader.kept).toEqual([2]);
  });

  it('is refused where the instance has one size', async () => {
    await using leader = await startLeader({ isElastic: false });
    expect(await (await linkTo(leader)).request(keep(2))).toBe('refused');
  });

  it('is refused by an agent that is too old for requests', async () => {
    await using leader = await startLeader();
    await using old = await tap(leader, (text) => text.replace(messageHeader, 'x-unknown'));
    expect(await (await linkTo(old)).request(keep(2))).toBe('refused');
    expect(leader.kept).toEqual([]);
  });

  it('is refused after its link has been replaced by a newer one, and unavailable after its end', async () => {
    await using leader = await startLeader();
    // The older end does not hear of it: what is between them keeps its connections.
    await using between = await tap(leader);
    const older = await linkTo(between);
    const newer = await linkTo(leader);
    expect(await older.request(keep(2))).not.toBe('accepted');
    await older.broken;
    expect(await older.request(keep(2))).toBe('unavailable');
    expect(await newer.request(keep(3))).toBe('accepted');
    expect(leader.kept).toEqual([3]);
  });

  it('is unavailable where nothing answers, and settled with the link', async () => {
    await using leader = await startLeader();
    let connections = 0;
    await using silent = await listen((socket) => {
      if (connections++ > 0) return;
      const upstream = connect(leader.port, leader.host);
      socket.pipe(upstream).pipe(socket);
      couple(socket, upstream);
    });
    const link = await linkTo(silent);
    const answer = link.request(keep(2));
    link.release();
    expect(await answer).toBe('unavailable');
  });
});

describe('an attacker without the certificate', () => {
  it('cannot replay a request, nor one that a later one has overtaken', async () => {
    await using leader = await startLeader();
    await using between = await tap(leader);
    const link = await linkTo(between);
    expect(await link.request(keep(1))).toBe('accepted');
    expect(await link.request(keep(4))).toBe('accepted');
    const [, first = '', second = ''] = between.requests;
    expect(await replay(leader, first)).toBe(403);
    expect(await replay(leader, second)).toBe(403);
    expect(await link.request(keep(3))).toBe('accepted');
    expect(leader.kept).toEqual([1, 4, 3]);
  });

  it('cannot hold a request back and send it after a later one', async () => {
    await using leader = await startLeader();
    await using between = await tap(leader, (text, connection) => (connection === 1 ? '' : text));
    const link = await openLink(between, { deadlines: { connectMs: 5000, helloMs: 2000 } });
    if (typeof link === 'string') throw new Error(link);
    expect(await link.request(keep(1))).toBe('unavailable');
    expect(await link.request(keep(4))).toBe('accepted');
    expect(await replay(leader, between.requests[1] ?? '')).toBe(403);
    expect(leader.kept).toEqual([4]);
  });

  it('cannot send a request over another link of the same controller', async () => {
    await using leader = await startLeader();
    await using between = await tap(leader);
    const link = await linkTo(between);
    expect(await link.request(keep(1))).toBe('accepted');
    const recorded = between.requests[1] ?? '';
    link.release();
    await link.broken;
    await expect.poll(leader.isWatched, patience).toBe(false);
    expect(await replay(leader, recorded)).toBe(409);
    await linkTo(leader);
    expect(await replay(leader, recorded)).toBe(409);
    expect(leader.kept).toEqual([1]);
  });

  it.each<[string, (text: string) => string]>([
    ['its size', (text) => text.replace('"size":1', '"size":9')],
    ['its position', (text) => text.replace(/ 0 ([0-9a-f]{64})/, ' 7 $1')],
    ['its controller', (text) => text.replace('controller-1', 'other')],
    ['its MAC', (text) => text.replace(/[0-9a-f]{64}/, '0'.repeat(64))],
  ])('cannot change %s', async (_, change) => {
    await using leader = await startLeader();
    await linkTo(leader, 'other');
    await using between = await tap(leader, (text, connection) => (connection === 1 ? change(text) : text));
    expect(await (await linkTo(between)).request(keep(1))).not.toBe('accepted');
    expect(leader.kept).toEqual([]);
  });

  it('cannot accept a request in place of the leader', async () => {
    await using leader = await startLeader();
    let connections = 0;
    await using fake = await listen((socket) => {
      const upstream = connect(leader.port, leader.host);
      couple(socket, upstream);
      if (connections++ === 0) socket.pipe(upstream).pipe(socket);
      else socket.end(`HTTP/1.1 204 No Content\r\n${messageHeader}: ${'0'.repeat(64)}\r\n\r\n`);
    });
    expect(await (await linkTo(fake)).request(keep(1))).not.toBe('accepted');
  });

  it.each<[string, Buffer]>([
    ['of the certificate of another instance', controllerKey('other', miniClusterName)],
    ['of another MiniCluster', controllerKey(secretKey, { ...miniClusterName, cluster: 'other' })],
  ])('cannot sign with the key %s', async (_, otherKey) => {
    await using leader = await startLeader();
    await using between = await tap(leader);
    await linkTo(between);
    const [, nonce = ''] = /controller-1 0 ([0-9a-f]{32})/.exec(between.requests[0] ?? '') ?? [];
    const name = { rank: 0, peer: 'controller-1', nonce };
    const request = (signer: ReturnType<typeof linkSigner>) => requestOf(signMessage(name, 0, body, signer));
    expect(await replay(leader, request(linkSigner(otherKey, name)))).toBe(403);
    expect(await replay(leader, request(linkSigner(key, name)))).toBe(204);
    expect(leader.kept).toEqual([1]);
  });

  it('cannot use an acceptance, a line or a proof as a request: each has a label of its own', async () => {
    await using leader = await startLeader();
    await using between = await tap(leader);
    await linkTo(between);
    const [, nonce = ''] = /controller-1 0 ([0-9a-f]{32})/.exec(between.requests[0] ?? '') ?? [];
    const signer = linkSigner(key, { rank: 0, peer: 'controller-1', nonce });
    const macs = ['line', 'proof', 'accepted', 'request'].map((label) => signer.sign(label, 0, body));
    for (const mac of macs)
      expect(await replay(leader, requestOf(`controller-1 ${nonce} 0 ${mac}`))).toBe(403);
  });

  it('is answered before its body is read where it names no link, and cut off where the body is too long', async () => {
    await using leader = await startLeader();
    await using between = await tap(leader);
    await linkTo(between);
    const name = { rank: 0, peer: 'controller-1', nonce: 'f'.repeat(32) };
    const signed = signMessage(name, 0, body, linkSigner(key, name));
    expect(await replay(leader, requestOf(signed).slice(0, -1))).toBe(409);

    const [, nonce = ''] = /controller-1 0 ([0-9a-f]{32})/.exec(between.requests[0] ?? '') ?? [];
    const long = ' '.repeat(longestMessage + 1);
    const header = signMessage({ ...name, nonce }, 0, long, linkSigner(key, { ...name, nonce }));
    expect(await replay(leader, requestOf(header, long))).toBe(413);
    expect(leader.kept).toEqual([]);
  });
});

const body = JSON.stringify(keep(1));
const requestOf = (header: string, text = body) =>
  `POST ${controllerLinkPath} HTTP/1.1\r\nHost: a\r\n${messageHeader}: ${header}\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
