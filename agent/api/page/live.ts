/** Events of the instance while the page is open: one event stream for all views. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Sample } from '../event-hub.ts';
import { get, Refusal } from './api-client.ts';
import { sawLeaderTime } from './leader-clock.ts';

export interface Live {
  readonly connected: boolean;
  /** The API has sent `end`, or does not answer after a shutdown. The page sends no further requests. */
  readonly ended: boolean;
  readonly samples: readonly Sample[];
  /** Incremented when jobs have changed. */
  readonly jobsChanged: number;
}

/** Half an hour, a sample every two seconds. */
const mostSamples = 900;

/** `down`: a shutdown was requested, so an API that does not answer has ended. */
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
    // The browser reconnects by itself, with this event for each failure.
    source.onerror = () => {
      setLive((before) => ({ ...before, connected: false }));
      if (isDown.current) get('/v1/session').catch((reason) => isUnanswered(reason) && end());
    };
    return () => source.close();
  }, []);
  return live;
}

/** Whether there was no answer of the API itself: none at all, or a proxy's. */
const isUnanswered = (reason: unknown): boolean =>
  reason instanceof Refusal && [0, 502, 503, 504].includes(reason.status);

/** Does `act` after each change of `when`, at most once in so many milliseconds. */
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
