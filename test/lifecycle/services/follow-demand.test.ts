import { describe, expect, it } from 'vitest';
import type { Demand } from '../../../agent/demand/demand.ts';
import type { WatchQueueOptions } from '../../../agent/demand/watch-queue.ts';
import { followDemand } from '../../../agent/lifecycle/services/follow-demand.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

const demandOf = (wanted: number): Demand => ({
  wanted,
  busy: 0,
  idle: 1,
  active: 0,
  unfit: [],
  unfitCount: 0,
});

function follow() {
  const states: object[] = [];
  const watches: WatchQueueOptions[] = [];
  const followed = followDemand({
    size: 8,
    connect: () => Promise.reject(new Error('no broker')),
    podState: { set: (parts) => states.push(parts) },
    watch: (options) => watches.push(options),
    log: recordedLog(),
  });
  const [watch] = watches;
  if (!watch) throw new Error('the queue is not watched');
  return { followed, states, watches, watch };
}

describe('the demand', () => {
  it('is watched once, with the hosts of the instance as its limit', () => {
    const { followed, watches, watch } = follow();
    const life = new AbortController();
    for (let n = 0; n < 3; n++) followed.listen(() => undefined, life.signal);
    expect(watches).toHaveLength(1);
    expect(watch.limits).toEqual({ maxSize: 8, podSeconds: 60 });
  });

  it('is in the state of the pod, and is what was heard last', () => {
    const { followed, states, watch } = follow();
    expect(followed.last()).toBeUndefined();
    for (const demand of [demandOf(2), undefined, demandOf(3)]) {
      watch.onDemand(demand);
      expect(followed.last()).toEqual(demand);
      expect(states.at(-1)).toEqual({ demand });
    }
  });

  it('is called out to each listener at once, at each change, and not after its signal', () => {
    const { followed, watch } = follow();
    watch.onDemand(demandOf(2));
    const [one, other] = [new AbortController(), new AbortController()];
    const heard: [string, number | undefined][] = [];
    followed.listen((demand) => heard.push(['one', demand?.wanted]), one.signal);
    followed.listen((demand) => heard.push(['other', demand?.wanted]), other.signal);
    watch.onDemand(demandOf(3));
    one.abort();
    watch.onDemand(undefined);
    followed.listen((demand) => heard.push(['late', demand?.wanted]), AbortSignal.abort());
    expect(heard).toEqual([
      ['one', 2],
      ['other', 2],
      ['one', 3],
      ['other', 3],
      ['other', undefined],
    ]);
  });

  it('ends with the services', () => {
    const { followed, watch } = follow();
    expect(watch.signal.aborted).toBe(false);
    followed.close();
    expect(watch.signal.aborted).toBe(true);
  });
});
