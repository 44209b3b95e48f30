/**
 * The leader's wall clock: it may differ from the browser's by any amount. Every answer has the time at which it was made (the Date header,
 * in whole seconds), every sample as well (exactly). Each is a lower bound, by the latency.
 */

/** Bounds further apart mean that one of the clocks was set. */
const wasSetMs = 5000;

/** The better one of two bounds of `leader - here`, in milliseconds. */
export const closerOffset = (before: number | undefined, bound: number): number =>
  before === undefined || before - bound > wasSetMs ? bound : Math.max(before, bound);

let offset: number | undefined;

/** Takes the leader's time of an answer, in milliseconds since 1970. */
export function sawLeaderTime(leader: number, here: number = Date.now()): void {
  if (Number.isFinite(leader)) offset = closerOffset(offset, leader - here);
}

/** Seconds since 1970, by the leader's clock. */
export const leaderNow = (here: number = Date.now()): number => (here + (offset ?? 0)) / 1000;
