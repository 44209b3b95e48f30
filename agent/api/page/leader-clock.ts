/**
 * The leader's wall clock, as the browser knows it: the clocks of both may differ by any amount. Every answer says what time it was when
 * it was made (the Date header, in whole seconds) and every sample does too (exactly). Each is a lower bound, by the time that it travelled.
 */

/** Bounds that lie further apart are of clocks of which one was set. */
const wasSetMs = 5000;

/** The better one of two bounds of `leader - here`, in milliseconds. */
export const closerOffset = (before: number | undefined, bound: number): number =>
  before === undefined || before - bound > wasSetMs ? bound : Math.max(before, bound);

let offset: number | undefined;

/** Takes a time of the leader, in milliseconds since 1970, that has just arrived. */
export function sawLeaderTime(leader: number, here: number = Date.now()): void {
  if (Number.isFinite(leader)) offset = closerOffset(offset, leader - here);
}

/** Seconds since 1970, by the leader's clock. */
export const leaderNow = (here: number = Date.now()): number => (here + (offset ?? 0)) / 1000;
