/** Rate limits by client: token buckets, of which the oldest are dropped first. */
import { instant } from '../clock.ts';

export interface RateLimit {
  /** Takes a token; returns the seconds until the next where there is none, else 0. */
  readonly take: (client: string) => number;
  /** The seconds until there is a token, 0 where there is one. */
  readonly wait: (client: string) => number;
}

const mostClients = 10_000;

/** `perSecond` tokens are added each second, up to `burst`. */
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
