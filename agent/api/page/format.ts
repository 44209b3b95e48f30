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

/** A running time, in whole units: `7 s`, `2 min 5 s`, `1 h 2 min`. */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [...units, ['s', 1] as const].reduce<{ left: number; words: string[] }>(
    ({ left, words }, [unit, size]) => {
      const count = Math.floor(left / size);
      return { left: left % size, words: count > 0 ? [...words, `${count} ${unit}`] : words };
    },
    { left: whole, words: [] },
  ).words;
  return parts.slice(0, 2).join(' ') || '0 s';
}
