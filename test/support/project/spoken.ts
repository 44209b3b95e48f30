/** What the program says: the texts in its source, to hold against what the documentation quotes. */
import { readdirSync, readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';
import { parseAst } from 'vitest/node';

/** A text of the source. Between its fixed parts stands what is only known when it is said. */
type Text = readonly string[];

/** The texts of all TypeScript files below these directories, each line of a text by itself. */
export function readTexts(directories: readonly string[]): Text[] {
  const files = directories.flatMap((directory) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .map((name) => `${directory}/${name}`),
  );
  return files.flatMap((file) => {
    const { code } = transformSync(readFileSync(file, 'utf8'), { loader: file.endsWith('x') ? 'tsx' : 'ts' });
    return textsIn(parseAst(code)).flatMap(linesOf);
  });
}

function textsIn(node: unknown): Text[] {
  if (Array.isArray(node)) return node.flatMap(textsIn);
  if (typeof node !== 'object' || node === null) return [];
  const { type, value, quasis } = node as { type?: string; value?: unknown; quasis?: unknown };
  const own = type === 'Literal' && typeof value === 'string' ? [[value]] : [];
  const template =
    type === 'TemplateLiteral'
      ? [(quasis as { value: { cooked: string } }[]).map((quasi) => quasi.value.cooked)]
      : [];
  return [...own, ...template, ...Object.values(node).flatMap(textsIn)];
}

const gap = '\0';
const linesOf = (text: Text): Text[] =>
  text
    .join(gap)
    .split('\n')
    .map((line) => line.trim().split(gap));

/** Letters that a text with gaps must have of its own: less than a word would fit too much. */
const leastLetters = 3;

/** A text as a pattern in which each gap is a group. Undefined where it says too little: no words, and no colon that would join two others. */
function patternOf(text: Text): RegExp | undefined {
  const letters = text.join('').replace(/\W/g, '').length;
  const says = text.length === 1 ? letters > 0 : letters >= leastLetters || text.join('').includes(': ');
  const fixed = text.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return says ? new RegExp(`^${fixed.join('(.*?)')}$`) : undefined;
}

/**
 * Whether the program can say this. `<path>` stands for anything; what else is in a gap is a single word, or something that the program says
 * too, such as the reason behind a colon.
 */
export function createSpoken(texts: readonly Text[]): (message: string) => boolean {
  const patterns = texts.flatMap((text) => patternOf(text) ?? []);
  const known = new Map<string, boolean>();
  const isSpoken = (message: string): boolean => {
    const before = known.get(message);
    if (before !== undefined) return before;
    known.set(message, false);
    const spoken = patterns.some((pattern) => {
      const found = pattern.exec(message);
      return found?.slice(1).every(isFilling) === true;
    });
    known.set(message, spoken);
    return spoken;
  };
  /** Two gaps in a row make one: a code, and what it means. */
  const isFilling = (part: string): boolean => {
    const [word = ''] = /^\w+(?=: )/.exec(part) ?? [];
    return isWordOrOpen(part) || isSpoken(part) || (word !== '' && isSpoken(part.slice(word.length)));
  };
  return isSpoken;
}

const isWordOrOpen = (part: string): boolean => /^(<[^>]*>|\S*)$/.test(part);
