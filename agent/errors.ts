import { constants } from 'node:os';

/**
 * Exit codes that flux-pod itself gives; all others are the program's own. Each has one meaning.
 * Numbers below 78 follow sysexits.h where it has a word for the case.
 */
export const ExitCode = {
  usage: 64,
  peersUnavailable: 69,
  internal: 70,
  brokerFailed: 71,
  noFlux: 72,
  hookFailed: 75,
  certificate: 77,
  configuration: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The exit code for a process that a signal ended: 143 for SIGTERM, 137 for SIGKILL. */
export const signalCode = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Why flux-pod stops: a sentence for a person, the code it ends with, and, where there is one, the way out. */
export class PodError extends Error {
  override readonly name = 'PodError';
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = exitCode;
    this.hint = options.hint;
  }

  /** Each bundle has this class once more: what controller.cjs or demo.cjs throws is one as well. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'PodError';
  }
}

/** The errno name of a Node.js system error (`ENOENT`, ...), or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
