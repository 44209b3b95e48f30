import { describe, expect, it } from 'vitest';
import type { KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { httpApi } from '../../../controller/kubernetes/http-api.ts';
import { electLeader } from '../../../controller/kubernetes/leader-election.ts';
import { pathOf, resources } from '../../../controller/kubernetes/resources.ts';
import { type MemoryApiServer, startApiServer } from '../../support/kubernetes/api-server.ts';

const patience = { timeout: 20_000 };
const times = { durationMs: 400, renewMs: 250, retryMs: 20 };

/** A replica; `leads` while it does, `stop` gives the lease back, `crash` does not. */
function startReplica(server: MemoryApiServer, identity: string, renewal = async () => {}) {
  const stopping = new AbortController();
  const real = httpApi(server.config);
  let crashed = false;
  let leads = false;
  const guard = <T>(act: () => Promise<T>): Promise<T> =>
    crashed ? Promise.reject(new Error('crashed')) : act();
  const api: KubernetesApi = {
    ...real,
    get: (target) => guard(() => real.get(target)),
    create: (object) => guard(() => real.create(object)),
    patch: (...parameters) =>
      guard(async () => {
        await renewal();
        return real.patch(...parameters);
      }),
  };
  const ended = electLeader({
    api,
    namespace: 'system',
    name: 'controller',
    identity,
    times,
    signal: stopping.signal,
    onError: () => undefined,
    lead: async (signal) => {
      leads = true;
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      leads = false;
    },
  });
  return {
    leads: () => leads,
    ended,
    crash: () => {
      crashed = true;
    },
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

const holderOf = ({ store }: MemoryApiServer): unknown =>
  (store.get(pathOf(resources.leases, {}), 'system', 'controller').spec as { holderIdentity?: string })
    .holderIdentity;

describe('of several replicas', () => {
  it('one leads, and the other follows when it stops in order', async () => {
    await using server = await startApiServer();
    const first = startReplica(server, 'first');
    await expect.poll(first.leads, patience).toBe(true);
    const second = startReplica(server, 'second');
    await first.stop();
    expect(first.leads()).toBe(false);
    await expect.poll(second.leads, patience).toBe(true);
    expect(holderOf(server)).toBe('second');
    await second.stop();
    expect(holderOf(server)).toBe('');
  });

  it('one gives the lease back also when it stops in the middle of a renewal', async () => {
    await using server = await startApiServer();
    const [begun, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const replica = startReplica(server, 'first', () => {
      begun.resolve();
      return may.promise;
    });
    await begun.promise;
    const stopped = replica.stop();
    // Whatever it asks meanwhile is answered.
    await new Promise((resolve) => setTimeout(resolve, 50));
    may.resolve();
    await stopped;
    expect(holderOf(server)).toBe('');
  });

  it('the other takes over from one that has crashed, which by then does not lead any more', async () => {
    await using server = await startApiServer();
    const first = startReplica(server, 'first');
    await expect.poll(first.leads, patience).toBe(true);
    const second = startReplica(server, 'second');
    first.crash();
    await expect.poll(second.leads, patience).toBe(true);
    expect(first.leads()).toBe(false);
    expect(holderOf(server)).toBe('second');
    await second.stop();
    await first.stop();
  });

  it('one leads where all begin in the same moment', async () => {
    await using server = await startApiServer();
    const replicas = Array.from({ length: 5 }, (_, index) => startReplica(server, `replica-${index}`));
    await expect.poll(() => replicas.filter(({ leads }) => leads()).length, patience).toBe(1);
    for (const replica of replicas) await replica.stop();
  });
});
