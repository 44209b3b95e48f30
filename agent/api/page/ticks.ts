/** One timer for all running times on the page; without any there is no timer. */
import { useEffect, useState } from 'preact/hooks';
import { leaderNow } from './leader-clock.ts';

const everyMs = 1000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function listen(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    if (!document.hidden) for (const each of listeners) each();
  }, everyMs);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The leader's time, in seconds since 1970. While it `moves`, its component is rendered each second. */
export function useLeaderNow(moves: boolean): number {
  const [, drawAnew] = useState(0);
  useEffect(() => (moves ? listen(() => drawAnew((count) => count + 1)) : undefined), [moves]);
  return leaderNow();
}
