/** What the instance says of itself while the page is open: one event stream for all views. */
import { useEffect, useState } from 'preact/hooks';
import type { Sample } from '../event-hub.ts';
import { sawLeaderTime } from './leader-clock.ts';

export interface Live {
  readonly connected: boolean;
  readonly samples: readonly Sample[];
  /** Counts up whenever jobs have changed. */
  readonly jobsChanged: number;
}

/** Half an hour, a sample every two seconds. */
const mostSamples = 900;

export function useLive(enabled: boolean): Live {
  const [live, setLive] = useState<Live>({ connected: false, samples: [], jobsChanged: 0 });
  useEffect(() => {
    if (!enabled) return;
    const source = new EventSource('/v1/events');
    const on = (name: string, change: (live: Live, data: never) => Partial<Live>) =>
      source.addEventListener(name, (event) => {
        const data = JSON.parse((event as MessageEvent<string>).data) as never;
        setLive((before) => ({ ...before, connected: true, ...change(before, data) }));
      });
    on('history', (_, samples: readonly Sample[]) => ({ samples }));
    on('sample', ({ samples }, sample: Sample) => {
      sawLeaderTime(sample.time * 1000);
      return { samples: [...samples, sample].slice(-mostSamples) };
    });
    on('jobs', ({ jobsChanged }) => ({ jobsChanged: jobsChanged + 1 }));
    source.onerror = () => setLive((before) => ({ ...before, connected: false }));
    return () => source.close();
  }, [enabled]);
  return live;
}

/** Does `act` now, whenever one of `when` changes, and not more often than every so many milliseconds. */
export function useRefresh(act: () => Promise<void>, when: readonly unknown[], everyMs = 500): void {
  useEffect(() => {
    let ended = false;
    const timer = setTimeout(() => {
      if (!ended && !document.hidden) void act();
    }, everyMs);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, when);
}
