/** A command line as words, the way a POSIX shell quotes and nothing else: no variables, no globs. Data in, data out. */
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
