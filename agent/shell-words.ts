/** Lines of a POSIX shell and the words in them. Data in, data out. */

/**
 * The one rule for a COMMAND of a single word that has white space in it, as with `flux start`: it is a line for a shell, here and in
 * `run`, `submit`, `shell` and the API. Undefined for any other COMMAND, which is executed as it stands.
 */
export function shellLineOf(command: readonly string[]): string | undefined {
  const [first = ''] = command;
  return command.length === 1 && /\s/.test(first) ? first : undefined;
}

/** A command line as words, the way a POSIX shell quotes and nothing else: no variables, no globs. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const [part] of line.matchAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\s+|[^\s'"\\]+|./gs)) {
    if (/^\s/.test(part)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + unquoted(part);
  }
  return word === undefined ? words : [...words, word];
}

function unquoted(part: string): string {
  if (part.length > 1 && part.startsWith("'")) return part.slice(1, -1);
  // Within double quotes a backslash stands for itself, except before what it can escape (POSIX, 2.2.3).
  if (part.length > 1 && part.startsWith('"')) return part.slice(1, -1).replace(/\\([$`"\\\n])/g, '$1');
  return part.length === 2 && part.startsWith('\\') ? part.slice(1) : part;
}

/** Words as a line of a shell. */
export const toLine = (words: readonly string[]): string => words.map(quoted).join(' ');

/** Text as one word of a shell's line, whatever is in it: every text of a MiniCluster that a script contains goes through here. */
export const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : inQuotes(word));

/** Text as one quoted word (POSIX, 2.2.2). */
export const inQuotes = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
