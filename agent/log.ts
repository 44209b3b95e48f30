import type { Logger } from 'pino';
import { printable } from './printable.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
type Fields = Readonly<Record<string, unknown>>;

/** The agent's log. Fields never hold a secret. */
export interface Log {
  /** Writes one line: a sentence, and facts for programs. */
  (level: LogLevel, message: string, fields?: Fields): void;
  /** Loads the writer and writes the lines that have been kept until now. To be awaited before the process exits. */
  readonly open: () => Promise<void>;
}

export interface LogOptions {
  readonly level: LogLevel | 'silent';
  readonly format: 'json' | 'text';
  /** In every line: the pod. */
  readonly base: Fields;
}

interface Line {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Fields;
}

/**
 * A log on stderr, so that stdout is the program's alone. Lines are kept until open() is called: pino takes 16 ms to
 * load, and between exec and the broker's start there is nothing better to save.
 */
export function createLog({ level, format, base }: LogOptions): Log {
  const kept: Line[] = [];
  let logger: Logger | undefined;
  let lineTime = new Date();

  const write = (line: Line) => {
    if (!logger) return void kept.push(line);
    lineTime = line.time;
    logger[line.level](line.fields, line.message);
  };

  const open = async () => {
    if (logger || level === 'silent') return;
    const { pino } = await import('pino');
    const stderr = destination(pino);
    logger = pino(
      {
        level,
        base,
        timestamp: () => `,"time":"${lineTime.toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      format === 'text' ? { write: (json) => void stderr.write(readable(json)) } : stderr,
    );
    for (const line of kept.splice(0)) write(line);
  };

  return Object.assign(
    (lineLevel: LogLevel, message: string, fields: Fields = {}) =>
      write({ time: new Date(), level: lineLevel, message, fields }),
    { open },
  );
}

/**
 * Descriptor 2 itself, never process.stderr or process.stdout: to open those makes a pipe non-blocking for the program as
 * well, which shares it, and a program does not expect its writes to fail with EAGAIN. (With `fd` in place of `dest` pino would look
 * at process.stdout.) A closed pipe ends the log, not the pod's work.
 */
function destination(pino: typeof import('pino').pino) {
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
