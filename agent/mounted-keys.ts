import { readdirSync } from 'node:fs';

const most = 10;

/**
 * The end of a sentence that misses a file of a Secret: the keys that are mounted beside it, `, but cert is`. Names only. The kubelet's
 * own entries (`..data`) are no keys.
 */
export function keysInstead(directory: string): string {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => !name.startsWith('..'));
  } catch {
    return '';
  }
  if (names.length === 0) return `: ${directory} is empty`;
  const shown = names
    .sort()
    .slice(0, most)
    .map((name) => name.slice(0, 80).replace(/[^\w.-]/g, '?'));
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `, but ${shown.join(', ')}${more} in ${directory}`;
}
