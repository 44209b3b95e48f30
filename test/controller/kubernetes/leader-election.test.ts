import { describe, expect, it } from 'vitest';
import type { KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { httpApi } from '../../../controller/kubernetes/http-api.ts';
import { electLeader, leaseTimes } from '../../../controller/kubernetes/leader-election.ts';
import { pathOf, resources } from '../../../controller/kubernetes/resources.ts';
import { type MemoryApiServer, startApiServer } from '../../support/kubernetes/api-server.ts';
import { memoryApi } from '../../support/kubernetes/memory-api.ts';
import { createObjectStore } from '../../support/kubernetes/object-store.ts';
import { createVirtualClock } from '../../support/kubernetes/virtual-clock.ts';

/** A lease that is over soon, and one that never is. */
const brief = { durationMs: 400, renewMs: 250, retryMs: 20 };
const long = { durationMs: 40_000, renewMs: 25_000, retryMs: 20 };

/** A replica; `leads` while it does, `stop` gives the lease back, `crash` does not. */
function startReplica(
  server: MemoryApiServer,
  identity: string,
  { times = long, renewal = async () => {} } = {},
) {
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

const holderOf = ({ store }: Pick<MemoryApiServer, 'store'>): unknown =>
  (store.get(pathOf(resources.leases, {}), 'system', 'controller').spec as { holderIdentity?: string })
    .holderIdentity;

describe('of several replicas', () => {
  it('one leads, and the other follows when it stops in order', async () => {
    await using server = await startApiServer();
    const first = startReplica(server, 'first');
    await expect.poll(first.leads).toBe(true);
    const second = startReplica(server, 'second');
    await first.stop();
    expect(first.leads()).toBe(false);
    await expect.poll(second.leads).toBe(true);
    expect(holderOf(server)).toBe('second');
    await second.stop();
    expect(holderOf(server)).toBe('');
  });

  it('one gives the lease back also when it stops in the middle of a renewal', async () => {
    await using server = await startApiServer();
    const [begun, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const replica = startReplica(server, 'first', {
      renewal: () => {
        begun.resolve();
        return may.promise;
      },
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
    const first = startReplica(server, 'first', { times: brief });
    await expect.poll(first.leads).toBe(true);
    const second = startReplica(server, 'second', { times: brief });
    first.crash();
    await expect.poll(second.leads).toBe(true);
    expect(first.leads()).toBe(false);
    expect(holderOf(server)).toBe('second');
    await second.stop();
    await first.stop();
  });

  it('one leads where all begin in the same moment', async () => {
    await using server = await startApiServer();
    const replicas = Array.from({ length: 5 }, (_, index) => startReplica(server, `replica-${index}`));
    await expect.poll(() => replicas.filter(({ leads }) => leads()).length).toBe(1);
    for (const replica of replicas) await replica.stop();
  });
});

/** A replica alone on a virtual clock, whose requests are those of an API server in memory changed by `change`. */
function startAlone(change: (api: KubernetesApi) => Partial<KubernetesApi>, { earlyMs = 0 } = {}) {
  const clock = createVirtualClock();
  const store = createObjectStore();
  const api = memoryApi({ store, clock });
  const stopping = new AbortController();
  const led: { from: number; to?: number }[] = [];
  const ended = electLeader({
    api: { ...api, ...change(api) },
    namespace: 'system',
    name: 'controller',
    identity: 'alone',
    signal: stopping.signal,
    onError: () => undefined,
    clock: { ...clock, after: (ms, act) => clock.after(ms - earlyMs, act) },
    lead: async (signal) => {
      const time: { from: number; to?: number } = { from: clock.monotonic() };
      led.push(time);
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      time.to = clock.monotonic();
    },
  });
  return { clock, led, ended, stop: () => stopping.abort(), holder: () => holderOf({ store }) };
}

describe('a replica', () => {
  it('gives back a lease that it was granted after it was asked to stop', async () => {
    const replica = startAlone(({ create }) => ({
      create: (lease) => {
        replica.stop();
        return create(lease);
      },
    }));
    await replica.clock.run();
    await replica.ended;
    expect(replica.led).toEqual([]);
    expect(replica.holder()).toBe('');
  });

  it('gives the lease back also where the answer to its last renewal was lost', async () => {
    let renewals = 0;
    const replica = startAlone(({ patch }) => ({
      patch: async (...parameters) => {
        const answer = await patch(...parameters);
        if (++renewals === 1) throw new Error('reset');
        return answer;
      },
    }));
    await replica.clock.run(leaseTimes.retryMs + 100);
    expect(renewals).toBe(1);
    replica.stop();
    await replica.clock.run();
    await replica.ended;
    expect(replica.holder()).toBe('');
  });

  it('does not lead by a lease whose answer has come when another one may take it', async () => {
    let renewedAt = Number.POSITIVE_INFINITY;
    const replica = startAlone(({ create, patch }) => ({
      create: async (lease) => {
        const answer = await create(lease);
        await new Promise<void>((resolve) => replica.clock.after(leaseTimes.renewMs, resolve));
        return answer;
      },
      patch: (...parameters) => {
        renewedAt = Math.min(renewedAt, replica.clock.monotonic());
        return patch(...parameters);
      },
    }));
    await replica.clock.run(30_000);
    expect(replica.led).toHaveLength(1);
    expect(replica.led[0]?.from).toBeGreaterThan(renewedAt);
    replica.stop();
    await replica.clock.run();
    await replica.ended;
  });

  it('has ended its work in time where renewals are not answered and timers fire early', async () => {
    let isSilent = false;
    const replica = startAlone(
      ({ get }) => ({ get: (target) => (isSilent ? new Promise(() => undefined) : get(target)) }),
      { earlyMs: 0.5 },
    );
    await replica.clock.run(leaseTimes.retryMs / 2);
    isSilent = true;
    await replica.clock.run();
    await replica.ended;
    const [{ from, to } = { from: Number.NaN }] = replica.led;
    expect(to).toBeGreaterThan(from);
    expect(to).toBeLessThanOrEqual(leaseTimes.renewMs);
  });
});
