import { type Instant, instant } from './clock.ts';

export interface Throttle {
  /** Asks for the act: at once where the last one began `ms` ago or more, else then. Any number of requests until then are one. */
  readonly request: () => void;
  /** The act does not wait; what is requested later does. */
  readonly actNow: () => void;
  /** Nothing that was requested before happens. */
  readonly stop: () => void;
}

/** Acts when it is requested, at most once in `ms` milliseconds, and the last request is always served. */
export function createThrottle(ms: number, act: () => void, now: () => Instant = instant): Throttle {
  let timer: NodeJS.Timeout | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const run = () => {
    clearTimeout(timer);
    timer = undefined;
    last = now();
    act();
  };
  return {
    request: () => {
      if (timer) return;
      const wait = last + ms - now();
      if (wait <= 0) run();
      else timer = setTimeout(run, Math.ceil(wait));
    },
    actNow: run,
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
