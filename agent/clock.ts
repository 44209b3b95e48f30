/** Milliseconds since 1970 by a monotonic clock: a change of the wall clock moves none of them. */
export type Instant = number;

// By process.uptime(), since `performance` is loaded when it is first used, which the way to the broker has no time for.
const startedAt: Instant = Date.now() - process.uptime() * 1000;

export const instant = (): Instant => startedAt + process.uptime() * 1000;

/**
 * Has this process, which writes all times in UTC, take that for its time zone. V8 looks the zone up before it writes any, Node.js in each HTTP
 * response: where there is no /etc/localtime, or it is no link, ICU reads all of /usr/share/zoneinfo for it, 8 to 26 ms of CPU.
 */
export function useUtc(): void {
  process.env.TZ = 'UTC';
}

/** The longest time that a timer can be set to, in milliseconds: it counts them in 31 bits. */
export const longestTimerMs = 2 ** 31 - 1;

/** Runs `act` once after `ms`, which has no upper bound. Returns what cancels that. */
export function after(ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number) => {
    const next = Math.min(left, longestTimerMs);
    timer = setTimeout(() => (left > next ? wait(left - next) : act()), next);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
