/** How much one client may ask: token buckets, the oldest forgotten first. */

export interface RateLimit {
  /** Takes one; the seconds to wait where there is none left, else 0. */
  readonly take: (client: string) => number;
}

const mostClients = 10_000;

/** `perSecond` come back each second, up to `burst`. */
export function createRateLimit(perSecond: number, burst: number, now: () => number = Date.now): RateLimit {
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take: (client) => {
      const at = now();
      const bucket = buckets.get(client) ?? { left: burst, at };
      bucket.left = Math.min(burst, bucket.left + ((at - bucket.at) / 1000) * perSecond);
      bucket.at = at;
      buckets.delete(client);
      buckets.set(client, bucket);
      const [oldest] = buckets.keys();
      if (buckets.size > mostClients && oldest !== undefined) buckets.delete(oldest);
      if (bucket.left < 1) return (1 - bucket.left) / perSecond;
      bucket.left -= 1;
      return 0;
    },
  };
}
