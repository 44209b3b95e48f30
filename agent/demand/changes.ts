/** What has changed since it was last looked at: many changes at once are one. */
import { longestTimerMs } from '../clock.ts';

export interface Changes<Change> {
  readonly note: (change: Change) => void;
  /** Waits for a change, or for so many milliseconds, or until the signal aborts; for ever where the time is infinite. */
  readonly next: (withinMs: number, signal: AbortSignal) => Promise<ReadonlySet<Change>>;
}

export function createChanges<Change>(): Changes<Change> {
  let noted = new Set<Change>();
  let wake = () => undefined as unknown;
  return {
    note: (change) => {
      noted.add(change);
      wake();
    },
    next: async (withinMs, signal) => {
      if (noted.size === 0 && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = () => resolve();
        const timer = Number.isFinite(withinMs)
          ? setTimeout(resolve, Math.min(withinMs, longestTimerMs))
          : undefined;
        signal.addEventListener('abort', wake, { once: true });
        await promise;
        signal.removeEventListener('abort', wake);
        clearTimeout(timer);
      }
      const all = noted;
      noted = new Set();
      return all;
    },
  };
}
