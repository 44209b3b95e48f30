import { type LevelWithSilent, type Logger, pino } from 'pino';
import { printable } from './printable.ts';

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  readonly format: 'json' | 'text';
  /** In every line: the pod. */
  readonly base: Readonly<Record<string, unknown>>;
  /** When the line was said that is being written. */
  readonly timeOf: () => Date;
}

/** What writes a line: JSON as pino has it, or text for people. */
export function createLogger({ level, format, base, timeOf }: LoggerOptions): Logger {
  const stderr = destination();
  return pino(
    {
      level,
      base,
      timestamp: () => `,"time":"${timeOf().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === 'text' ? { write: (json) => void stderr.write(readable(json)) } : stderr,
  );
}

/**
 * Descriptor 2 itself, which is the program's as well: to open process.stderr would make a pipe non-blocking for both, and where
 * that is kept from happening (entrypoint/command-line/shared-output.ts) it is the same descriptor with a stream around it. (With `fd` in place of
 * `dest` pino would look at process.stdout.) A closed pipe ends the log, not the pod's work.
 */
function destination() {
  return pino.destination({ dest: 2, sync: true }).on('error', () => undefined);
}

/** For people: `12:30:01.123 info  mc-0 The broker has started  pid=12`. One line, whatever is in a value. */
function readable(json: string): string {
  const { time, level, pod, msg, ...fields } = JSON.parse(json);
  const facts = Object.entries(fields).map(
    ([name, value]) => `  ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const line = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${pod} ${msg}${facts.join('')}`;
  return `${printable(line)}\n`;
}
