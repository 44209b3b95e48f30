/** How much one client may ask: token buckets, the oldest forgotten first. */
import { instant } from '../clock.ts';

export interface RateLimit {
  /** Takes one; the seconds to wait where there is none left, else 0. */
  readonly take: (client: string) => number;
  /** The seconds until there is one to take, 0 where there is one now. */
  readonly wait: (client: string) => number;
}

const mostClients = 10_000;

/** `perSecond` come back each second, up to `burst`. */
export function createRateLimit(perSecond: number, burst: number, now: () => number = instant): RateLimit {
  const buckets = new Map<string, { left: number; at: number }>();
  const leftOf = (client: string): number => {
    const bucket = buckets.get(client);
    return bucket ? Math.min(burst, bucket.left + ((now() - bucket.at) / 1000) * perSecond) : burst;
  };
  const wait = (client: string): number => Math.max(0, (1 - leftOf(client)) / perSecond);
  return {
    wait,
    take: (client) => {
      const [left, seconds] = [leftOf(client), wait(client)];
      buckets.delete(client);
      buckets.set(client, { left: seconds > 0 ? left : left - 1, at: now() });
      const [oldest] = buckets.keys();
      if (buckets.size > mostClients && oldest !== undefined) buckets.delete(oldest);
      return seconds;
    },
  };
}
