import { describe, expect, it } from 'vitest';
import { ApiError, type KubernetesApi } from '../../controller/kubernetes/api.ts';
import { electLeader, leaseTimes } from '../../controller/kubernetes/leader-election.ts';
import { resources } from '../../controller/kubernetes/resources.ts';
import { clusterLabel } from '../../controller/render/reserved/names.ts';
import { miniCluster } from '../support/kubernetes/controller-bed.ts';
import { isWrite } from '../support/kubernetes/faulty-api.ts';
import { memoryApi } from '../support/kubernetes/memory-api.ts';
import { createObjectStore, type Stored } from '../support/kubernetes/object-store.ts';
import { createVirtualBed, type Instance, type VirtualBed } from '../support/kubernetes/virtual-bed.ts';
import { createVirtualClock } from '../support/kubernetes/virtual-clock.ts';

/** A MiniCluster that runs, and the controller that made it. */
async function running(spec: object = {}): Promise<{ bed: VirtualBed; instance: Instance }> {
  const bed = createVirtualBed();
  const instance = bed.start();
  bed.create(miniCluster(spec));
  await bed.clock.run();
  expect(bed.status()?.state).toBe('Running');
  return { bed, instance };
}

const conditionOf = (bed: VirtualBed, type: string) =>
  bed.status()?.conditions.find((condition) => condition.type === type);

describe('a lease', () => {
  /** Two replicas, of which the first one's requests are never answered from `hangsAt` on. */
  function twoReplicas(hangsAt: number) {
    const clock = createVirtualClock();
    const api = memoryApi({ store: createObjectStore(), clock });
    const leading = new Set<string>();
    const both: number[] = [];
    const over = new AbortController();
    const start = (identity: string, hangs: () => boolean) => {
      const hung = <T>(act: () => Promise<T>) => (hangs() ? new Promise<T>(() => undefined) : act());
      const mine: KubernetesApi = {
        ...api,
        get: (target) => hung(() => api.get(target)),
        create: (object) => hung(() => api.create(object)),
        patch: (...parameters) => hung(() => api.patch(...parameters)),
      };
      void electLeader({
        api: mine,
        namespace: 'system',
        name: 'controller',
        identity,
        clock,
        signal: over.signal,
        onError: () => undefined,
        lead: async (signal) => {
          leading.add(identity);
          if (leading.size > 1) both.push(clock.monotonic());
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          leading.delete(identity);
        },
      });
    };
    start('first', () => clock.monotonic() >= hangsAt);
    return { clock, leading, both, over, second: () => start('second', () => false) };
  }

  it('is never held by two when the API server does not answer the one that holds it', async () => {
    const { clock, leading, both, over, second } = twoReplicas(60_000);
    await clock.run(1000);
    second();
    await clock.run(58_000);
    expect([...leading]).toEqual(['first']);
    await clock.run(1000 + leaseTimes.renewMs + leaseTimes.retryMs);
    expect([...leading]).toEqual([]);
    await clock.run(leaseTimes.durationMs);
    expect([...leading]).toEqual(['second']);
    expect(both).toEqual([]);
    over.abort();
  });

  it('is taken over within 15 s when the replica that holds it crashes, at whatever moment', async () => {
    const moments = Array.from({ length: 5 }, (_, at) => (leaseTimes.retryMs * at) / 5 + 1);
    for (const startsAt of moments)
      for (const crashesAfter of moments) {
        const crashesAt = 30_000 + crashesAfter;
        const { clock, leading, both, over, second } = twoReplicas(crashesAt);
        await clock.run(startsAt);
        second();
        await clock.run(crashesAt + 15_000 - startsAt);
        expect([...leading], `started at ${startsAt}, crashed at ${crashesAt}`).toEqual(['second']);
        expect(both).toEqual([]);
        over.abort();
      }
  });

  it.each([-3_600_000, 3_600_000])('stays where it is when the wall clock jumps by %i ms', async (ms) => {
    const { clock, leading, over, second } = twoReplicas(Number.POSITIVE_INFINITY);
    await clock.run(1000);
    second();
    await clock.run(5000);
    clock.jump(ms);
    await clock.run(120_000);
    expect([...leading]).toEqual(['first']);
    over.abort();
  });
});

describe('several controllers', () => {
  it('by accident at once make what one makes, and come to rest', async () => {
    const { bed: alone } = await running();
    const bed = createVirtualBed();
    const both = [bed.start(), bed.start()];
    bed.create(miniCluster());
    await bed.clock.run();
    expect(bed.ends()).toEqual(alone.ends());
    // Time has ended: nothing is retried for ever. Each makes every object at most once, beside the status.
    for (const { calls } of both)
      expect(calls.filter(({ verb }) => verb === 'apply').length).toBeLessThanOrEqual(3);
  });

  it('that is asked to stop at any request leaves the rest to the next one', async () => {
    const { bed: expected, instance } = await running();
    for (let at = 0; at < instance.calls.length; at++) {
      const bed = createVirtualBed();
      let stopped: Promise<void> | undefined;
      let number = 0;
      let late: string[] = [];
      const first = bed.start({
        fault: ({ verb, resource }) => {
          if (stopped && resource !== resources.events) late = [...late, `${verb} ${resource.kind}`];
          if (number++ === at)
            queueMicrotask(() => {
              stopped = first.stop();
            });
          return undefined;
        },
      });
      bed.create(miniCluster());
      await bed.clock.run();
      await stopped;
      expect(late, `stopped at request ${at}`).toEqual([]);
      bed.start();
      await bed.clock.run();
      expect(bed.ends(), `stopped at request ${at}`).toEqual(expected.ends());
    }
  });
});

describe('an API server', () => {
  it('that is away for 60 s is not overrun, and everything is made up for', async () => {
    const { bed: expected } = await running();
    const bed = createVirtualBed();
    const isAway = () => bed.clock.monotonic() > 10_000 && bed.clock.monotonic() < 70_000;
    const instance = bed.start({ fault: () => (isAway() ? 'reset before' : undefined) });
    await bed.clock.run(10_000);
    bed.api.endWatches();
    bed.create(miniCluster());
    const before = instance.calls.length;
    await bed.clock.run(60_000);
    // Eleven resources are watched: fewer than ten tries of each in a minute.
    expect(instance.calls.length - before).toBeLessThan(110);
    expect(bed.find(resources.jobs)).toBeUndefined();
    await bed.clock.run();
    expect(bed.ends()).toEqual(expected.ends());
  });

  it('that ends all watches with 410 at any moment loses nothing', async () => {
    const { bed: expected } = await running();
    for (let ms = 0; ms < 40; ms++) {
      const bed = createVirtualBed();
      bed.start();
      await bed.clock.run();
      bed.create(miniCluster());
      await bed.clock.run(ms);
      bed.store.compact();
      bed.api.endWatches(new ApiError(410, 'Expired', 'too old resource version'));
      await bed.clock.run();
      expect(bed.ends(), `after ${ms} ms`).toEqual(expected.ends());
    }
  });

  it('that ends idle watches again and again is watched all the same', async () => {
    const { bed } = await running();
    for (let hour = 0; hour < 20; hour++) {
      await bed.clock.run(3_600_000);
      bed.api.endWatches();
      await bed.clock.run(1000);
    }
    bed.remove(resources.services);
    await bed.clock.run(1000);
    expect(bed.find(resources.services)).toBeDefined();
  });

  it('whose bookmarks were seen need not be listed again when it has forgotten what was before', async () => {
    const { bed, instance } = await running();
    for (let change = 0; change < 5; change++)
      bed.patch(resources.pods, bed.all(resources.pods)[0]?.metadata.name ?? '', {
        metadata: { annotations: { change: String(change) } },
      });
    await bed.clock.run();
    bed.api.bookmark();
    await bed.clock.run();
    bed.store.compact();
    const before = instance.calls.length;
    bed.api.endWatches();
    await bed.clock.run();
    expect(instance.calls.slice(before).map(({ verb }) => verb)).not.toContain('list');
  });
});

describe('a MiniCluster', () => {
  it('that is deleted and created again under its name at once is made anew, and its owner is not alarmed', async () => {
    const { bed: expected } = await running();
    const { bed } = await running();
    const { uid } = bed.find(resources.jobs)?.metadata ?? {};
    bed.remove(resources.miniClusters);
    bed.create(miniCluster());
    await bed.clock.run();
    expect(bed.find(resources.jobs)?.metadata.uid).not.toBe(uid);
    expect(bed.ends()).toEqual(expected.ends());
    expect(
      bed
        .stories()
        .get('mc')
        ?.filter((line) => /belongs|Invalid/.test(line)),
    ).toEqual([]);
  });

  it('of the name of one that has ended and is deleted at the same time runs all the same', async () => {
    const { bed } = await running();
    void bed.endProgram(0);
    await bed.clock.run();
    expect(bed.status()?.state).toBe('Succeeded');
    bed.remove(resources.miniClusters);
    bed.create(miniCluster());
    await bed.clock.run();
    expect(bed.status()?.state).toBe('Running');
    expect(bed.status()?.exitCode).toBeUndefined();
  });

  it('counts only the pods of its Job', async () => {
    const { bed } = await running();
    const [pod] = bed.all(resources.pods) as [Stored];
    const stranger = {
      ...pod.metadata,
      name: 'mc-0-earlier',
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: 'mc', uid: 'earlier', controller: true },
      ],
    };
    bed.store.create('/api/v1/pods', { ...pod, metadata: stranger, status: pod.status });
    await bed.clock.run();
    expect(bed.status()?.brokersOnline).toBe(2);
  });

  it('that is suspended gets its Job back suspended when somebody deletes it', async () => {
    const { bed } = await running();
    bed.patch(resources.miniClusters, 'mc', { spec: { suspend: true } });
    await bed.clock.run();
    const { uid } = bed.find(resources.jobs)?.metadata ?? {};
    bed.remove(resources.jobs);
    await bed.clock.run();
    expect(bed.find(resources.jobs)?.metadata.uid).not.toBe(uid);
    expect(bed.find(resources.jobs)).toMatchObject({ spec: { suspend: true } });
    expect(bed.status()?.state).toBe('Suspended');
    expect(bed.all(resources.pods)).toEqual([]);
  });

  it('takes a name within 30 s after another owner’s object has gone', async () => {
    const bed = createVirtualBed();
    bed.start();
    const metadata = { name: 'mc', namespace: 'hpc' };
    bed.store.create('/api/v1/services', { apiVersion: 'v1', kind: 'Service', metadata });
    bed.create(miniCluster());
    await bed.clock.run(60_000);
    expect(conditionOf(bed, 'Valid')?.message).toMatch(/Service hpc\/mc exists/);
    bed.remove(resources.services);
    await bed.clock.run();
    expect(conditionOf(bed, 'Valid')?.status).toBe('True');
    expect(bed.find(resources.services)?.metadata.ownerReferences).toHaveLength(1);
  });

  it('makes anew what is being deleted without its label, within 30 s after it has gone', async () => {
    const { bed } = await running();
    const { uid } = bed.find(resources.services)?.metadata ?? {};
    bed.patch(resources.services, 'mc', {
      metadata: { labels: { [clusterLabel]: null }, finalizers: ['example.com/slow'] },
    });
    bed.remove(resources.services);
    await bed.clock.run(60_000);
    expect(bed.find(resources.services)?.metadata.uid).toBe(uid);
    bed.patch(resources.services, 'mc', { metadata: { finalizers: null } });
    expect(bed.find(resources.services)).toBeUndefined();
    await bed.clock.run();
    expect(bed.find(resources.services)).toBeDefined();
  });

  it('that stays for 30 days after its end causes no request until then', async () => {
    const { bed, instance } = await running({ ttlSecondsAfterFinished: 30 * 86_400 });
    void bed.endProgram(0);
    await bed.clock.run(10_000);
    expect(bed.status()?.state).toBe('Succeeded');
    const before = instance.calls.length;
    await bed.clock.run(29 * 86_400_000);
    expect(instance.calls.slice(before)).toEqual([]);
    await bed.clock.run();
    expect(bed.find(resources.miniClusters)).toBeUndefined();
  });

  it('whose program ended while no controller ran is told so by the next one, which runs nothing again', async () => {
    const { bed, instance } = await running();
    await instance.stop();
    void bed.endProgram(3);
    await bed.clock.run();
    const { uid } = bed.find(resources.jobs)?.metadata ?? {};
    const next = bed.start();
    await bed.clock.run();
    expect(bed.status()).toMatchObject({ state: 'Failed', exitCode: 3 });
    expect(bed.find(resources.jobs)?.metadata.uid).toBe(uid);
    expect(next.calls.filter(isWrite).map(({ verb, resource }) => `${verb} ${resource.kind}`)).toEqual([
      'patch MiniCluster',
      'create Event',
    ]);
  });
});
