/**
 * The rate limit and the backoff of a pod's queries. Each pod takes its share of one rate limit for all pods: the instance's size is all
 * that it needs for that.
 */

/**
 * The rate limit of all pods together. A name that has appeared costs two queries at once (its existence and its address), so these are
 * up to 450 queries a second, and fewer than 500 where chance bunches them.
 */
const podsPerSecond = 225;

/** The interval between a pod's queries by the rate limit, in milliseconds: 18 for 4 pods, 44,444 for 10,000. */
export const intervalMs = (size: number): number => (size * 1000) / podsPerSecond;

/** With a jitter of a quarter, by a random number from 0 to 1: 0.5 adds none. */
export const withJitter = (ms: number, random: number): number => ms * (0.75 + random / 2);

/** The longest backoff of a small cluster, on average. */
const longestMs = 800;

/** Pods that took turns go on taking turns: the jitter of an interval is small. */
const longestJitterMs = 250;

/**
 * Milliseconds before the next query: 50, growing by half to 800, with a jitter of a quarter; but at least the rate limit's interval with
 * a jitter, so that no pod's second query comes while others still send their first.
 */
export function backoffMs(attempt: number, size = 1, random: number = Math.random()): number {
  const growing = withJitter(Math.min(longestMs, 50 * 1.5 ** attempt), random);
  const interval = intervalMs(size);
  return Math.max(growing, interval + Math.min(interval / 4, longestJitterMs) * random);
}

/**
 * Milliseconds before the first query. Pods of a Job start together: up to a second's rate they ask at once, more are spread over one
 * interval in the order of their ranks.
 */
export function firstDelayMs(rank: number, size: number, random: number): number {
  return size <= podsPerSecond ? 0 : (intervalMs(size) * ((rank % size) + random)) / size;
}

/**
 * Milliseconds before the next SYN to an address that refused: the parent of 10,000 gets 2,000 a second. For a small cluster 25, growing
 * by half to 250 in the first second, and after ten seconds by a fiftieth, to a second after 45: a SYN is cheap, but where many pods
 * share a node and their leader takes long, their attempts to connect take the CPU that it needs.
 */
export function reconnectMs(tries: number, size: number, random: number): number {
  const growing = Math.min(25 * 1.5 ** tries, 250 * 1.02 ** Math.max(0, tries - 40), 1000);
  return withJitter(Math.max(growing, size / 2), random);
}
