/** Exponential backoff with jitter. Milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly most: number;
}

/** The delay after the given number of failures in a row, from 1: half of it is random, so that not all come back at once. */
export function nextDelay({ first, most }: Backoff, failures: number, random: () => number): number {
  const whole = Math.min(most, first * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + (whole / 2) * random();
}
