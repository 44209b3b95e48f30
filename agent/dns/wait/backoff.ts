/**
 * How often a pod asks. Every pod knows how many there are, so each takes its share of what the cluster's name servers are to
 * bear, and needs to agree with nobody.
 */

/**
 * So many pods ask in a second, all together. A name that has appeared costs two questions at once (does it exist, and its
 * address), so these are up to 450 questions a second, and stay below 500 where chance bunches them.
 */
const podsPerSecond = 225;

/** The least milliseconds between a pod's questions, for its share: 18 for 4 pods, 44,444 for 10,000. */
export const shareMs = (size: number): number => (size * 1000) / podsPerSecond;

/** What a small cluster waits at most between two questions, on average. */
const longestMs = 800;

/** Pods that took turns go on taking turns: what each adds to its share by chance is little. */
const mostOutOfTurnMs = 250;

/**
 * Milliseconds before the next try: 50, growing by half to 800, each within a quarter more or less; but the pod's share at least, and
 * some more, so that no pod's second question comes while others still ask their first.
 */
export function pauseMs(attempt: number, size = 1, random: number = Math.random()): number {
  const growing = Math.min(longestMs, 50 * 1.5 ** attempt) * (0.75 + random / 2);
  const share = shareMs(size);
  return Math.max(growing, share + Math.min(share / 4, mostOutOfTurnMs) * random);
}

/**
 * Milliseconds before the first question. Pods of a Job start together; as many as may ask in a second do so at once, a larger
 * cluster spreads them over its round, in the order of their ranks.
 */
export function firstPauseMs(rank: number, size: number, random: number): number {
  return size <= podsPerSecond ? 0 : (shareMs(size) * ((rank % size) + random)) / size;
}

/**
 * Milliseconds before the next SYN to an address that refused, so that the parent of 10,000 gets 2,000 a second; for a small cluster
 * 25, growing to 250: a SYN costs nobody anything.
 */
export function reconnectMs(tries: number, size: number, random: number): number {
  return Math.max(Math.min(250, 25 * 1.5 ** tries), size / 2) * (0.75 + random / 2);
}
