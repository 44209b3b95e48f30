import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createTopology } from '../../agent/cluster/topology.ts';
import { createControllerLinks } from '../../agent/controller-link/leader-end.ts';
import type { InstanceFacts } from '../../agent/controller-link/report.ts';
import { controllerLinkPath } from '../../agent/controller-link/report.ts';
import { type ServeOptions, serveHealth } from '../../agent/health/http-server.ts';
import { linkSigner } from '../../agent/link/key.ts';
import { linkHeader, signProof, signRequest } from '../../agent/link/protocol.ts';
import { parentLinkPath } from '../../agent/parent-link/announcement.ts';
import { createParentLinks } from '../../agent/parent-link/parent-end.ts';
import { key as controllerKey } from '../support/agent/controller-links.ts';
import { key } from '../support/agent/parent-links.ts';
import { podStateOf } from '../support/agent/pod-state.ts';
import { connectRaw, freePort, get, patience, type RawClient } from '../support/agent/raw-client.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** The agent's port with the limits that it has, and a broker that counts the questions. */
async function serve(more: Pick<ServeOptions, 'extension'> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-health-'));
  const port = await freePort();
  const asked = { pulse: 0, jobStates: 0 };
  const server = await serveHealth({
    state: podStateOf({ state: 'run' }),
    http: { host: '127.0.0.1', port },
    socketPath: join(directory, 'agent.sock'),
    pulse: async () => void asked.pulse++,
    jobStates: async () => {
      asked.jobStates++;
      return { run: 1 };
    },
    log: recordedLog(),
    ...more,
  });
  undo.push(() => rmSync(directory, { recursive: true, force: true }), server.close);
  const client = async (from: string) => {
    const raw = await connectRaw(port, from);
    undo.push(() => raw.socket.destroy());
    return raw;
  };
  /** As the kubelet asks: a connection of its own. Resolves to the status. */
  const probe = async (path = '/livez', from = '127.0.0.1') => {
    const kubelet = await client(from);
    kubelet.send(path, 'Connection: close\r\n');
    await once(kubelet.socket, 'close');
    return kubelet.statuses()[0];
  };
  return { port, asked, client, probe };
}

const addresses = Array.from({ length: 60 }, (_, n) => `127.0.1.${n + 1}`);
const from = (place: number): string => addresses[place % addresses.length] ?? '';

describe('the agent’s port under attack', () => {
  it('asks the broker once for 40 clients that pipeline 3,000 requests each, and cuts them off', async () => {
    const { asked, client, probe } = await serve();
    const clients: RawClient[] = [];
    for (let n = 0; n < 40; n++) clients.push(await client(from(n)));
    const startedAt = performance.now();
    for (const { socket } of clients) socket.write(get('/metrics').repeat(3000));
    expect(await probe('/readyz')).toBe(200);
    await expect.poll(() => clients.every(({ closed }) => closed()), patience).toBe(true);
    expect(asked.jobStates).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 1000);
  });

  it('asks the broker once a second for clients that ask one thing after the other', async () => {
    const { asked, client } = await serve();
    const all = await Promise.all(addresses.slice(0, 20).map((each) => client(each)));
    const startedAt = performance.now();
    for (let round = 1; round <= 20; round++) {
      for (const each of all) each.send('/metrics');
      await expect.poll(() => all.every(({ statuses }) => statuses().length === round), patience).toBe(true);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    expect(asked.jobStates).toBeLessThanOrEqual(1 + seconds);
    expect(all.flatMap(({ statuses }) => statuses())).not.toContain(500);
  });

  it('refuses one address the requests above its rate, with the time of a retry, but never a probe', async () => {
    const { client } = await serve();
    const greedy: RawClient[] = [];
    for (let n = 0; n < 10; n++) greedy.push(await client('127.0.0.9'));
    let rounds = 0;
    const askAll = async (path: string) => {
      rounds++;
      for (const each of greedy) each.send(path);
      await expect
        .poll(() => greedy.every(({ statuses }) => statuses().length === rounds), patience)
        .toBe(true);
      return greedy.map(({ statuses }) => statuses().at(-1));
    };
    expect(await askAll('/status')).toEqual(Array(10).fill(200));
    while (!(await askAll('/status')).includes(429));
    // The sooner, the more.
    expect(rounds).toBeGreaterThan(10);
    const refused = greedy.find(({ statuses }) => statuses().includes(429));
    expect(refused?.text()).toMatch(/retry-after: 1\r\n/i);
    for (let round = 0; round < 30; round++) expect(await askAll('/livez')).toEqual(Array(10).fill(200));
    const other = await client('127.0.0.8');
    other.send('/status');
    await expect.poll(other.statuses, patience).toEqual([200]);
  });

  it('answers probes while 600 connections from 60 addresses ask nothing', async () => {
    const { client, probe } = await serve();
    const idle: RawClient[] = [];
    for (let n = 0; n < 600; n++) idle.push(await client(from(n)));
    for (const path of ['/startupz', '/livez', '/readyz']) expect(await probe(path)).toBe(200);
    // The oldest have given way.
    await expect
      .poll(() => idle.filter(({ closed }) => closed()).length, patience)
      .toBeGreaterThanOrEqual(600 - 512);
    expect(idle[0]?.closed()).toBe(true);
  });

  it('leaves one address 16 connections', async () => {
    const { client, probe } = await serve();
    const idle: RawClient[] = [];
    for (let n = 0; n < 100; n++) idle.push(await client('127.0.0.9'));
    expect(await probe('/livez', '127.0.0.9')).toBe(200);
    await expect.poll(() => idle.filter(({ closed }) => !closed()).length, patience).toBe(15);
  });

  it('answers probes while as many children have a parent link as there are, and counts those apart', async () => {
    const links = createParentLinks({ rank: 0, tree: createTopology({ scheme: 'custom' }, 601) });
    links.begin(key);
    const { client, probe } = await serve({ extension: links.extension });
    const children: RawClient[] = [];
    for (let n = 0; n < 600; n++) {
      const child = await client(`127.1.${n >> 8}.${n & 255}`);
      openLink(child, { rank: 0, peer: String(n + 1), key, path: parentLinkPath });
      children.push(child);
    }
    links.announce({ kind: 'stopping', signal: 'SIGTERM' });
    await expect.poll(() => children.every(({ text }) => text().includes('stopping')), patience).toBe(true);
    for (let n = 0; n < 520; n++) await client(from(n));
    expect(await probe('/readyz')).toBe(200);
    expect(children.filter(({ closed }) => closed())).toHaveLength(0);
  });

  it('keeps four links of controllers, and gives a recorded request of one no more room than any client', async () => {
    const watch = (onChange: (facts: InstanceFacts) => void) =>
      onChange({ brokersOnline: 4, jobs: { pending: 0, running: 0, inactive: 0 } });
    const extension = createControllerLinks({ key: controllerKey, size: 4, watch });
    const { client, probe } = await serve({ extension });
    const open = async (n: number, more: { peer: string; mute?: boolean }) => {
      const opened = await client(from(n));
      openLink(opened, { rank: 0, path: controllerLinkPath, key: controllerKey, ...more });
      return opened;
    };
    const links: RawClient[] = [];
    for (let n = 0; n < 6; n++) {
      const link = await open(n, { peer: String(n) });
      await expect.poll(() => link.text().includes('"report"'), patience).toBe(true);
      links.push(link);
    }
    const mute: RawClient[] = [];
    for (let n = 0; n < 520; n++) mute.push(await open(n, { peer: '5', mute: true }));
    expect(await probe('/readyz')).toBe(200);
    expect(links.map(({ closed }) => closed())).toEqual([true, true, false, false, false, false]);
    expect(mute.some(({ closed }) => closed())).toBe(true);
    expect(mute.filter(({ text }) => text().includes('"report"'))).toEqual([]);
  });
});

/** As a peer opens a link; one that is `mute` does not answer the challenge. */
function openLink(
  { socket, text }: RawClient,
  {
    path,
    key,
    mute = false,
    ...ends
  }: { rank: number; peer: string; path: string; key: Buffer; mute?: boolean },
): void {
  const name = { ...ends, nonce: ends.peer.padStart(32, '0') };
  const signer = linkSigner(key, name);
  const headers = `${linkHeader}: ${signRequest(name, signer)}\r\ntransfer-encoding: chunked\r\n`;
  socket.write(get(path, headers).replace('GET', 'POST'));
  const prove = () => {
    const challenge = /"challenge":"(\w+)"/.exec(text())?.[1];
    if (challenge === undefined || mute) return;
    socket.off('data', prove);
    socket.write(`40\r\n${signProof(challenge, signer)}\r\n0\r\n\r\n`);
  };
  socket.on('data', prove);
}
