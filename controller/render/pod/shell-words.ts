/** Words that no shell would read as anything but themselves. */
const plainWords = /^[\w@%+:,./-][\w@%+=:,./-]*(\s+[\w@%+=:,./-]+)*$/;

/** A line of a shell as the words to execute: the words themselves where they are plain, else bash with the line. */
export function toWords(line: string): string[] {
  const trimmed = line.trim();
  if (trimmed === '') return [];
  const first = trimmed.split(/\s/, 1)[0] ?? '';
  // A=1 before a command is an assignment, and a command of several lines a script.
  const plain = plainWords.test(trimmed) && !first.includes('=') && !trimmed.includes('\n');
  return plain ? trimmed.split(/\s+/) : ['/bin/bash', '-c', trimmed];
}

/** Words as a line of a shell. */
export const toLine = (words: readonly string[]): string => words.map(quoted).join(' ');

/** Text as one word of a shell's line, whatever is in it: everything that a MiniCluster says and a script holds goes through here. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Text for a container's `command` or `args`, in which the kubelet replaces $(NAME) and halves $$
 * (k8s.io/kubernetes/third_party/forked/golang/expansion).
 */
export const literally = (word: string): string =>
  word.replace(/\$+\(|\$\$+/g, (match) => match.replaceAll('$', '$$$$'));
