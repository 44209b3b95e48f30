/** Numbers and times for people. */

const units: readonly [string, number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
];

/** `1.5 h`, `12 s`, `0.31 s`. */
export function duration(seconds: number): string {
  for (const [unit, size] of units) {
    if (seconds >= 2 * size) return `${(seconds / size).toFixed(1)} ${unit}`;
  }
  return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`;
}

export const clock = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString();
export const moment = (seconds: number): string => new Date(seconds * 1000).toLocaleString();

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
