import { inQuotes } from '../../shell-words.ts';

/** A program and its arguments as a line for sh. Data in, data out. */
export function commandText(argv: readonly string[]): string {
  const [program, flag, line, ...rest] = argv;
  if (program === 'sh' && flag === '-c' && line !== undefined && rest.length === 0) return line;
  return argv.map(quoted).join(' ');
}

/** A word that is one word for sh (POSIX, 2.2.2). */
const quoted = (word: string): string => (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : inQuotes(word));
