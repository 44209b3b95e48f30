/**
 * Whether a name exists is asked with an unassigned RR type, a new one for each query, so that each negative answer is cached under a key of
 * its own: CoreDNS's cache key has the type (plugin/cache/cache.go, hash).
 */

/** Types that are unassigned or for private use (RFC 6895, section 3.1): from `first` on, so many. */
const ranges = [
  { first: 1024, count: 31_744 },
  { first: 32_770, count: 32_765 },
] as const;
const typeCount = ranges[0].count + ranges[1].count;

/**
 * The types of one pod, in dns-packet's notation. A pod that uses a type with a cached negative answer misses the name once, so each rank
 * has a range to itself, in which steps of the golden ratio repeat no type for long.
 */
export function unassignedTypes(rank: number, size: number, random: number): () => string {
  const goldenRatio = (Math.sqrt(5) - 1) / 2;
  const range = Math.max(1, Math.floor(typeCount / size));
  let place = random;
  return () => {
    place = (place + goldenRatio) % 1;
    const index = (rank * range + Math.floor(place * range)) % typeCount;
    const [low, high] = ranges;
    return `UNKNOWN_${index < low.count ? low.first + index : high.first + index - low.count}`;
  };
}
