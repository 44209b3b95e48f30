import { describe, expect, it } from 'vitest';
import { ApiError, type KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { pause } from '../../../controller/kubernetes/controller-clock.ts';
import {
  createEventRecorder,
  type EventOptions,
  type NewEvent,
} from '../../../controller/kubernetes/events.ts';
import { pathOf, resources } from '../../../controller/kubernetes/resources.ts';
import { memoryApi } from '../../support/kubernetes/memory-api.ts';
import { createObjectStore } from '../../support/kubernetes/object-store.ts';
import { createVirtualClock } from '../../support/kubernetes/virtual-clock.ts';

const eventOf = (note: string): NewEvent => ({
  regarding: {
    apiVersion: 'flux-framework.org/v1alpha2',
    kind: 'MiniCluster',
    metadata: { name: 'mc', namespace: 'hpc', uid: 'u' },
  },
  ...{ type: 'Normal', reason: 'Created', action: 'apply', note },
});

/** A recorder on a virtual clock. */
function startRecorder(
  change: (api: KubernetesApi) => Partial<KubernetesApi> = () => ({}),
  options: Partial<EventOptions> = {},
) {
  const clock = createVirtualClock();
  const store = createObjectStore();
  const api = memoryApi({ store, clock });
  const errors: unknown[] = [];
  const record = createEventRecorder({
    ...{ api: { ...api, ...change(api) }, instance: 'test', clock, random: () => 0.5 },
    onError: (error) => errors.push(error),
    ...options,
  });
  const collection = pathOf(resources.events, {});
  const events = () =>
    store.list(collection, 'hpc', undefined).map((event) => {
      const { note, series } = event as unknown as { note: string; series?: { count: number } };
      return { note, count: series?.count ?? 1 };
    });
  return { clock, errors, events, record: (note: string) => record(eventOf(note)) };
}

describe('an Event', () => {
  it.each<[string, string, number]>([
    ['letters', 'a'.repeat(2000), 1024],
    ['characters of two bytes after one of one', `a${'ä'.repeat(1000)}`, 1023],
    ['characters of four bytes', `aa${'🙂'.repeat(500)}`, 1022],
    ['what fits', 'ä'.repeat(512), 1024],
  ])('has a note of at most 1024 bytes, of whole characters: %s', async (_, note, bytes) => {
    const { clock, record, events } = startRecorder();
    record(note);
    await clock.run();
    const [{ note: written } = { note: '' }] = events();
    expect(Buffer.byteLength(written)).toBe(bytes);
    expect(note.startsWith(written)).toBe(true);
  });

  it('that repeats is counted', async () => {
    const { clock, record, events } = startRecorder();
    for (let times = 0; times < 3; times++) {
      record('a');
      await clock.run();
    }
    record('a');
    record('a');
    await clock.run();
    expect(events()).toEqual([{ note: 'a', count: 5 }]);
  });

  it('that repeats while its first write fails is created by its repeat', async () => {
    let tries = 0;
    const { clock, record, events, errors } = startRecorder(({ create }) => ({
      create: async (object) => {
        if (++tries > 1) return create(object);
        await pause(clock, 10);
        throw new ApiError(403, 'Forbidden', 'the namespace is being made');
      },
    }));
    record('a');
    await clock.run(5);
    record('a');
    await clock.run();
    expect(errors).toHaveLength(1);
    expect(events()).toEqual([{ note: 'a', count: 1 }]);
  });
});

describe('of many Events', () => {
  it('a few are written at the same time, and all come to be', async () => {
    let [atOnce, most] = [0, 0];
    const { clock, record, events, errors } = startRecorder(({ create }) => ({
      create: async (object) => {
        most = Math.max(most, ++atOnce);
        return create(object).finally(() => atOnce--);
      },
    }));
    for (let index = 0; index < 900; index++) record(String(index));
    await clock.run();
    expect(events()).toHaveLength(900);
    expect(errors).toEqual([]);
    expect(most).toBe(8);
  });

  it('that wait the oldest are dropped, by name', async () => {
    const { clock, record, events, errors } = startRecorder(undefined, { writers: 1, mostWaiting: 2 });
    for (const note of 'abcde') record(note);
    await clock.run();
    expect(events().map(({ note }) => note)).toEqual(['a', 'd', 'e']);
    expect(errors.map(String)).toEqual(
      Array(2).fill('Error: An Event Created of mc is dropped: too many wait.'),
    );
  });
});
