/** What the instance says of itself while the page is open: one event stream for all views. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Sample } from '../event-hub.ts';
import { get, Refusal } from './api-client.ts';
import { sawLeaderTime } from './leader-clock.ts';

export interface Live {
  readonly connected: boolean;
  /** The API has said so, or has been shut down and answers no more. Nothing is asked from then on. */
  readonly ended: boolean;
  readonly samples: readonly Sample[];
  /** Counts up whenever jobs have changed. */
  readonly jobsChanged: number;
}

/** Half an hour, a sample every two seconds. */
const mostSamples = 900;

/** `down` says that a shutdown was asked for: then an API that does not answer is one that has ended. */
export function useLive(down: boolean): Live {
  const [live, setLive] = useState<Live>({ connected: false, ended: false, samples: [], jobsChanged: 0 });
  const isDown = useRef(down);
  isDown.current = down;
  useEffect(() => {
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
    const end = () => {
      source.close();
      setLive((before) => ({ ...before, connected: false, ended: true }));
    };
    source.addEventListener('end', end);
    // The browser tries again by itself, and comes back here as long as that fails.
    source.onerror = () => {
      setLive((before) => ({ ...before, connected: false }));
      if (isDown.current) get('/v1/session').catch((reason) => isUnanswered(reason) && end());
    };
    return () => source.close();
  }, []);
  return live;
}

/** Whether there was no answer, or only that of a proxy. */
const isUnanswered = (reason: unknown): boolean =>
  reason instanceof Refusal && [0, 502, 503, 504].includes(reason.status);

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
