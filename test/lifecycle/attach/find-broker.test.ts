import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BrokerSearch, findBroker } from '../../../agent/lifecycle/attach/find-broker.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { brokerWith } from '../../support/flux/attributed-broker.ts';
import { startFakeBroker } from '../../support/flux/fake-broker.ts';

const EPERM = 1;
const user = process.getuid?.() ?? 0;

const follower = {
  rank: '1',
  size: '3',
  hostlist: 'mc-[0-2]',
  hostname: 'mc-1',
  'tbon.topo': 'kary:1',
  'tbon.parent-endpoint': 'tcp://10.0.0.7:8050',
  'broker.quorum': '2',
  'broker.pid': '27',
  'broker.starttime': '1767225600.5',
};

function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'find-broker-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function search(sockets: readonly string[], more: Partial<BrokerSearch> = {}) {
  let reason = '';
  const log = recordedLog();
  const stop = new AbortController();
  const found = findBroker({
    sockets,
    onWait: (why) => {
      reason = why;
    },
    endMarker: undefined,
    linger: undefined,
    hadBroker: false,
    // Longer than a test takes.
    answerWithinMs: { usually: 60_000, most: 60_000 },
    signal: stop.signal,
    log,
    ...more,
  });
  found.catch(() => undefined);
  const logged = () => log.lines.map(([level, message]) => `${level}: ${message}`);
  return { found, reason: () => reason, logged, stop };
}

describe('the search for a broker that another program starts', () => {
  it('finds it at the first of the places that has one, and learns who it is', async () => {
    await using broker = await startFakeBroker(brokerWith(follower));
    const nowhere = join(emptyDirectory(), 'local');
    const { found, logged } = search([nowhere, broker.path]);
    const result = await found;
    if ('over' in result) throw new Error(result.over);
    result.client.close();
    expect(result.socket).toBe(broker.path);
    expect(result.instance).toMatchObject({
      topo: 'kary:1',
      quorum: 2,
      process: { pid: 27, startedAt: 1_767_225_600_500, state: { state: 'run' } },
    });
    const { rank, size, host, parent } = result.instance.membership;
    expect({ rank, size, host, parent }).toEqual({
      rank: 1,
      size: 3,
      host: 'mc-1',
      parent: { rank: 0, host: 'mc-0', target: { host: '10.0.0.7', port: 8050 } },
    });
    const past = Date.now() - (result.instance.process.state?.since ?? 0);
    expect(past).toBeGreaterThan(99_000);
    expect(past).toBeLessThan(110_000);
    expect(logged()).toEqual([]);
  });

  it('waits until the socket exists, and logs its wait reason once', async () => {
    const directory = emptyDirectory();
    const socket = join(directory, 'local');
    const { found, reason, logged } = search([socket]);
    await expect.poll(() => reason()).toBe(`no such socket: ${socket}`);
    await using broker = await startFakeBroker(brokerWith(follower));
    symlinkSync(broker.path, socket);
    const result = await found;
    if ('over' in result) throw new Error(result.over);
    result.client.close();
    expect(logged()).toEqual([`info: Waiting for a broker: no such socket: ${socket}`]);
  });

  it('reports that nothing listens at a socket that a killed broker has left', async () => {
    const socket = join(emptyDirectory(), 'local');
    // A file that is no socket is refused as one that nobody listens at.
    writeFileSync(socket, '');
    const { reason, stop, found } = search([socket]);
    await expect.poll(() => reason()).toBe(`${socket}: nothing listens there`);
    stop.abort(new Error('stopped'));
    await expect(found).rejects.toThrow('stopped');
  });

  it('names the user that a broker does not admit', async () => {
    await using broker = await startFakeBroker({ admission: 1 });
    const { reason, stop } = search([broker.path]);
    await expect
      .poll(() => reason())
      .toBe(`${broker.path}: the broker does not admit user ${user}: attach as its own user`);
    stop.abort();
  });

  // Before `init` a broker tells its state to all who ask, and its changes to nobody.
  it.each(['load-builtins', 'join', 'run'])(
    'says who may watch a broker that lets others in, in state %s',
    async (state) => {
      const theirs = { ...follower, 'security.owner': '4711' };
      await using broker = await startFakeBroker(brokerWith(theirs, { state, log: EPERM }));
      const { reason, stop } = search([broker.path]);
      const why = `only user 4711, its owner, may watch the broker, not user ${user}`;
      await expect.poll(() => reason()).toBe(`${broker.path}: ${why}`);
      stop.abort();
    },
  );

  it('reports that a broker does not answer, and finds it when it does', async () => {
    await using broker = await startFakeBroker({ ...brokerWith(follower), admission: undefined });
    const { reason, found } = search([broker.path], { answerWithinMs: { usually: 20, most: 60_000 } });
    await expect.poll(() => reason()).toBe(`${broker.path}: it does not answer`);
    await expect.poll(() => broker.connections.length).toBe(1);
    broker.connections[0]?.socket.write(Buffer.of(0));
    const result = await found;
    if ('over' in result) throw new Error(result.over);
    result.client.close();
  });

  it('is over when its time is up', async () => {
    const { found } = search([join(emptyDirectory(), 'local')], { linger: 0.05, hadBroker: true });
    expect(await found).toEqual({ over: 'none has started again within 0.05 s (FLUX_POD_LINGER)' });
  });

  it('does not take a broker for found that exits before it has shown who may watch', async () => {
    const { onRequest } = brokerWith(follower);
    await using broker = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'log.dmesg') connection.socket.destroy();
        else onRequest?.(request, connection);
      },
    });
    const { reason, stop } = search([broker.path]);
    await expect.poll(() => reason()).toBe(`${broker.path}: the broker has closed the connection`);
    stop.abort();
  });

  it('is over as well when a broker has exited that it could never watch, and not before', async () => {
    const broker = await startFakeBroker(brokerWith(follower, { log: EPERM }));
    const { found, reason, logged } = search([broker.path], { linger: 0.05 });
    await expect.poll(() => reason()).toMatch(/may watch the broker/);
    // Each try takes longer than the patience in the end, and finds the broker there.
    await expect.poll(() => broker.connections.length).toBeGreaterThan(5);
    expect(logged()).toHaveLength(1);
    await broker[Symbol.asyncDispose]();
    expect(await found).toEqual({ over: 'none has started again within 0.05 s (FLUX_POD_LINGER)' });
  });

  it('ends when a file shows that no broker is to be expected', async () => {
    const directory = emptyDirectory();
    const endMarker = join(directory, 'complete');
    const { found, reason } = search([join(directory, 'local')], { endMarker });
    await expect.poll(() => reason()).toMatch(/no such socket/);
    writeFileSync(endMarker, '');
    expect(await found).toEqual({ over: "the Flux Operator's wait script has ended" });
  });

  it('finds a broker that runs, also beside such a file', async () => {
    await using broker = await startFakeBroker(brokerWith(follower));
    const endMarker = join(emptyDirectory(), 'complete');
    writeFileSync(endMarker, '');
    const result = await search([broker.path], { endMarker }).found;
    expect(result).toHaveProperty('client');
    if ('client' in result) result.client.close();
  });
});
