/** What an agent must know of a broker: the real one and the stand-in are held to the same sentences. */

import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../../agent/flux/client.ts';
import { frame } from '../../../agent/flux/framing.ts';
import { watchEventlog } from '../../../agent/flux/services/job-info.ts';
import { submitJob } from '../../../agent/flux/services/job-ingest.ts';
import { getJob } from '../../../agent/flux/services/job-list.ts';
import { cancelJob, killJob } from '../../../agent/flux/services/job-manager.ts';
import { getHealth, watchHealth } from '../../../agent/flux/services/overlay.ts';
import { getState, watchState } from '../../../agent/flux/services/state-machine.ts';
import { createFluxInstance } from '../../support/flux/flux-instance.ts';
import { everyFlux, type Flux } from '../../support/project/flux-pod.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: directories of other users. Only root can make them.');

const chain = { size: 3, topo: 'kary:1' };

describe.each(everyFlux())('a broker of $name', { concurrent: true }, (flux) => {
  it('tells every state of a follower, from its wait for the parent to its end with the instance', async ({
    expect,
  }) => {
    await using instance = await createFluxInstance(flux, { size: 3, jobs: false });
    const follower = await instance.start(1);
    await follower.says(/->join/);
    using client = await connectFlux(follower.socket);
    const seen: string[] = [];
    const watching = (async () => {
      for await (const state of watchState(client)) seen.push(state);
    })().catch((error) => error);
    await expect.poll(() => seen).toEqual(['join']);
    const leader = await instance.start(0, 'sleep', '1');
    await expect.poll(() => seen).toContain('quorum');
    const last = await instance.start(2);
    expect(await Promise.all([leader, follower, last].map(({ exited }) => exited))).toEqual([0, 0, 0]);
    expect(await watching).toMatchObject({ errno: 'ECONNRESET' });
    // A state that takes no time may be over before a client asks.
    const fleeting = ['config-sync', 'init'];
    const certain = ['join', 'quorum', 'run', 'cleanup', 'shutdown', 'finalize', 'goodbye'];
    const lasting = (states: readonly string[]) => states.filter((state) => !fleeting.includes(state));
    expect(lasting(seen)).toEqual(lasting(certain));
  });

  it('whose parent is killed stays in run, and ends with 1 when another process answers in its place', async () => {
    await using instance = await createFluxInstance(flux, { size: 2, jobs: false });
    const leader = await instance.start(0);
    const follower = await instance.start(1);
    await follower.says(/->run/);
    leader.signal('SIGKILL');
    await leader.exited;
    using client = await connectFlux(follower.socket);
    expect(await getState(client)).toMatchObject({ state: 'run' });
    await instance.start(0);
    expect(await follower.exited).toBe(1);
    expect(follower.log()).toMatch(/sent disconnect control message[\s\S]*parent-fail: run->cleanup/);
  });

  it('that is stopped takes connections and answers nothing, until it is continued', async ({ expect }) => {
    await using instance = await createFluxInstance(flux, { size: 1, jobs: false });
    const broker = await instance.start(0);
    await broker.says(/->run/);
    using client = await connectFlux(broker.socket);
    broker.signal('SIGSTOP');
    await expect.poll(() => stateOf(broker.child.pid)).toBe('T');
    const late = expect(getState(client, { timeoutMs: 300 })).rejects.toMatchObject({ errno: 'ETIMEDOUT' });
    const signal = AbortSignal.timeout(300);
    await expect(connectFlux(broker.socket, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
    await late;
    broker.signal('SIGCONT');
    expect(await getState(client)).toMatchObject({ state: 'run' });
  });

  it.each([
    ['a follower without a parent', 1, /->join/, 1],
    ['a follower below quorum', 1, /->quorum/, 0],
    ['the leader below quorum', 0, /->quorum/, 0],
  ])('that gets SIGTERM ends: %s', async (_, rank, ready, code) => {
    await using instance = await createFluxInstance(flux, { size: 3, topo: 'kary:2' });
    if (rank === 1 && ready.source.includes('quorum')) await (await instance.start(0)).says(ready);
    const broker = await instance.start(rank);
    await broker.says(ready);
    broker.signal('SIGTERM');
    expect(await broker.exited, broker.log()).toBe(code);
  });

  it('tells the health of a rank two hops away, and fails who listens when that rank is lost', async () => {
    await using instance = await createFluxInstance(flux, { ...chain, quorum: 1 });
    const leader = await instance.start(0);
    const middle = await instance.start(1);
    const last = await instance.start(2);
    await last.says(/->run/);
    using client = await connectFlux(leader.socket);
    const health = watchHealth(client, { nodeid: 2 });
    expect((await health.next()).value).toMatchObject({ rank: 2, status: 'full', children: [] });
    const failing = health.next();
    last.signal('SIGKILL');
    await expect(failing).rejects.toMatchObject({ errno: 'EHOSTUNREACH' });
    // The refusal is sent before the health changes.
    for await (const { status } of watchHealth(client)) if (status === 'degraded') break;
    middle.signal('SIGKILL');
    await expect(watchHealthUntil(client, 'lost')).resolves.toBeUndefined();
    await expect(getHealth(client, { nodeid: 2 })).rejects.toMatchObject({ errno: 'EHOSTUNREACH' });
  });

  it.runIf(isRoot)('takes no directory of another user for its socket', async () => {
    const theirs = mkdtempSync(join(tmpdir(), 'theirs-'));
    try {
      chmodSync(theirs, 0o777);
      chownSync(theirs, 65534, 65534);
      const attributes = { 'local-uri': `local://${theirs}/local` };
      await using instance = await createFluxInstance(flux, { size: 1, jobs: false, attributes });
      const broker = await instance.start(0);
      expect(await broker.ends()).toBe(1);
      expect(broker.log()).toContain(`local-uri directory ${theirs} is not owned by instance owner`);
    } finally {
      rmSync(theirs, { recursive: true, force: true });
    }
  });

  it('closes the connection of a client that talks nonsense, and goes on', async () => {
    await using instance = await createFluxInstance(flux, { size: 1 });
    const broker = await instance.start(0);
    await broker.says(/->run/);
    for (const nonsense of ['GET / HTTP/1.1\r\n\r\n', frame(Buffer.from('no message'))]) {
      const socket = createConnection({ path: broker.socket });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => undefined).resume();
      socket.write(nonsense);
      await closed;
    }
    using client = await connectFlux(broker.socket);
    await expect(client.rpc('attr.get', { name: 5 })).rejects.toMatchObject({ errno: 'EPROTO' });
    expect(await getState(client)).toMatchObject({ state: 'run' });
  });

  it('runs a job, shows its output as it comes, and ends it by a signal or by cancelling', async ({
    expect,
  }) => {
    await using instance = await createFluxInstance(flux, { size: 1 });
    const broker = await instance.start(0);
    await broker.says(/->run/);
    using client = await connectFlux(broker.socket);
    for (const [end, status] of [
      [(id: bigint) => killJob(client, id, 15), 143],
      [(id: bigint) => cancelJob(client, id), undefined],
    ] as const) {
      const id = await submitJob(client, jobspec(['sh', '-c', 'echo up; exec sleep 1000']));
      for await (const { context } of watchEventlog(client, id, 'guest.output', { waits: true })) {
        if (context?.data === 'up\n') await end(id);
      }
      // The output ends before the job does.
      await expect.poll(async () => (await getJob(client, id)).state).toBe('inactive');
      const job = await getJob(client, id);
      expect(job).toMatchObject({ result: status === undefined ? 'canceled' : 'failed' });
      if (status !== undefined) expect(job.waitstatus).toBe(status << 8);
    }
  });
});

describe('a broker of the stand-in', () => {
  const [flux] = everyFlux() as [Flux];

  it('publishes a heartbeat with the configured period, on every rank', async ({ expect }) => {
    const attributes = { 'heartbeat-period': '50ms' };
    await using instance = await createFluxInstance(flux, { ...chain, attributes });
    const brokers = await Promise.all([0, 1, 2].map((rank) => instance.start(rank)));
    await brokers[2]?.says(/->run/);
    for (const { socket } of brokers) {
      using client = await connectFlux(socket);
      let pulses = 0;
      client.subscribe('heartbeat.pulse', () => pulses++);
      await expect.poll(() => pulses).toBeGreaterThan(3);
    }
  });

  it('waits with a job that asks for more nodes than are online', async () => {
    await using instance = await createFluxInstance(flux, { size: 2, quorum: 1 });
    const leader = await instance.start(0);
    await leader.says(/->run/);
    using client = await connectFlux(leader.socket);
    const id = await submitJob(client, {
      ...jobspec(['true']),
      resources: [{ type: 'node', count: 2, with: jobspec([]).resources }],
    });
    expect(await getJob(client, id)).toMatchObject({ state: 'sched' });
    await instance.start(1);
    for await (const { name, context } of watchEventlog(client, id, 'eventlog'))
      if (name === 'finish') expect(context).toEqual({ status: 0 });
    expect(await getJob(client, id)).toMatchObject({ result: 'completed', ranks: '0-1' });
  });
});

/** proc_pid_stat(5): R, S, D, T, Z... */
const stateOf = (pid: number | undefined): string | undefined =>
  /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];

async function watchHealthUntil(client: Parameters<typeof watchHealth>[0], status: string): Promise<void> {
  for await (const { children } of watchHealth(client)) if (children[0]?.status === status) return;
}

const jobspec = (command: string[]) => ({
  version: 1,
  resources: [{ type: 'slot', count: 1, label: 'task', with: [{ type: 'core', count: 1 }] }],
  tasks: [{ command, slot: 'task', count: { per_slot: 1 } }],
  attributes: { system: { duration: 0, cwd: '/tmp', environment: { PATH: '/usr/bin:/bin' } } },
});
