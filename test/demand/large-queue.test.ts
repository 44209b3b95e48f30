import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { demandOf } from '../../agent/demand/demand.ts';
import type { QueueNode } from '../../agent/demand/queue-nodes.ts';
import { createQueueState } from '../../agent/demand/queue-state.ts';
import { cpuTime } from '../support/virtual/cpu-time.ts';

const most = 100_000;
/** Of a few shapes, as in a queue of many users. */
const jobspec = (place: number) => ({
  version: 1,
  resources: [
    {
      type: 'node',
      count: 1 + (place % 7),
      with: [{ type: 'slot', count: 1, with: [{ type: 'core', count: 1 + (place % 3) }] }],
    },
  ],
  tasks: [{ command: ['sh', '-c', `work ${place}`], slot: 'task', count: { per_slot: 1 } }],
  attributes: { system: { duration: 3600, cwd: '/home/someone' } },
});
const line = (place: number): string =>
  JSON.stringify({
    id: place * 2 ** 24,
    events: [
      { timestamp: 1, name: 'submit', context: { userid: 0, urgency: 16, flags: 0, version: 1 } },
      { timestamp: 2, name: 'depend' },
      { timestamp: 3, name: 'priority', context: { priority: 16 } },
    ],
    jobspec: jobspec(place),
  });
const read = (text: string) => {
  const { id, ...entry } = JSON.parse(text);
  return { id: BigInt(id), ...entry };
};
const nodes = Array.from(
  { length: 1000 },
  (_, rank): QueueNode => ({
    ...{ rank, host: `mc-${rank}`, properties: new Set<string>(), cores: 32, gpus: 0 },
    ...{ online: true, excluded: false, closed: false },
  }),
);

/** Bytes that `make` leaves behind when all else is garbage. */
function bytesOf<Kept>(make: () => Kept): { readonly bytes: number; readonly kept: Kept } {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const used = () => {
    // The second waits until the memory of the arrays that the first has found dead is given back.
    gc();
    gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const kept = make();
  return { bytes: used() - before, kept };
}

describe(`a queue of ${most} jobs`, () => {
  const texts = Array.from({ length: most }, (_, place) => line(place + 1));
  const fill = () => {
    const state = createQueueState();
    for (const text of texts) state.apply(read(text));
    return state;
  };

  it('takes a few bytes of memory a job: a quarter of what a map with their ids alone takes', () => {
    const { bytes, kept: state } = bytesOf(fill);
    const { bytes: ofMap, kept: map } = bytesOf(
      () =>
        new Map(
          texts.map((_, place) => [BigInt(place) << 24n, { shape: place % 7, state: 3, priority: 16 }]),
        ),
    );
    expect([state.active(), map.size]).toEqual([most, most]);
    expect(bytes / most).toBeLessThan(32);
    expect(bytes).toBeLessThan(ofMap / 4);
  });

  it('is evaluated in a fraction of the time that it takes to read its journal', () => {
    const state = fill();
    const evaluate = () => {
      const queue = { ...state.view(), housekeeping: [], isStopped: () => false };
      return demandOf(queue, nodes, { maxSize: 1000, podSeconds: 60 }, 0);
    };
    expect(evaluate()).toMatchObject({ wanted: 1000, active: most });
    expect(cpuTime(evaluate, 5)).toBeLessThan(cpuTime(fill, 1) / 4);
  });
});
