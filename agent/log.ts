import type { Logger } from 'pino';
import type { LoggerOptions } from './logger.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
type Fields = Readonly<Record<string, unknown>>;

/** The agent's log. Fields never hold a secret. */
export interface Log {
  /** Writes one line: a sentence, and facts for programs. */
  (level: LogLevel, message: string, fields?: Fields): void;
  /** Loads the writer and writes the lines that have been kept until now. To be awaited before the process exits. */
  readonly open: () => Promise<void>;
}

export type LogOptions = Omit<LoggerOptions, 'timeOf'>;

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
    const { createLogger } = await import('./logger.ts');
    logger = createLogger({ level, format, base, timeOf: () => lineTime });
    for (const line of kept.splice(0)) write(line);
  };

  return Object.assign(
    (lineLevel: LogLevel, message: string, fields: Fields = {}) =>
      write({ time: new Date(), level: lineLevel, message, fields }),
    { open },
  );
}
