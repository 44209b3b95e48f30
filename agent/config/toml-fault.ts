import { messageOf } from '../errors.ts';

/**
 * What is wrong with a TOML file, and where: smol-toml's first line. The lines of the file that it quotes below may hold a secret, and this
 * goes to the log, to /dev/termination-log and to /status.
 */
export function tomlFault(error: unknown): string {
  if (!(error instanceof Error) || !('line' in error) || !('column' in error)) return messageOf(error);
  const [what = ''] = error.message.split('\n', 1);
  return `${what} (line ${error.line}, column ${error.column})`;
}
