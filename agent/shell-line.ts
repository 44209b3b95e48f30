/**
 * The one rule for a COMMAND of a single word that has white space in it, as with `flux start`: it is a line for a shell, here and in
 * `run`, `submit`, `shell` and the API. Undefined for any other COMMAND, which is executed as it stands.
 */
export function shellLineOf(command: readonly string[]): string | undefined {
  const [first = ''] = command;
  return command.length === 1 && /\s/.test(first) ? first : undefined;
}
