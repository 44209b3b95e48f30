import type { Log } from '../../../agent/log.ts';

/** A log that keeps its lines as [level, message, fields] for a test to look at. */
export function recordedLog(): Log & { readonly lines: unknown[][] } {
  const lines: unknown[][] = [];
  const log = (...line: Parameters<Log>) => void lines.push(line);
  return Object.assign(log, { open: async () => undefined, lines });
}
