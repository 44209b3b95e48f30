/** The place of a syntax error in JSON (RFC 8259), which JSON.parse gives for some errors only. Data in, data out. */
const space = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/** The end of the match at a place; undefined where there is none. */
function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** The end of the string that begins at a place, or the place of an error in it. */
function endOfString(text: string, begin: number): { readonly end: number; readonly isWhole: boolean } {
  for (let at = begin + 1; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (text[at] === '"') return { end: at + 1, isWhole: true };
    const next = text[at] === '\\' ? endOf(escaped, text, at) : code < 0x20 ? undefined : at + 1;
    if (next === undefined) return { end: at, isWhole: false };
    at = next;
  }
  return { end: text.length, isWhole: false };
}

/** The offset of the first character that is an error; the length of the text where its end is missing. */
export function jsonFaultAt(text: string): number {
  /** The closing characters of the open lists and objects. A text may open as many as it is long. */
  const open: (']' | '}')[] = [];
  let expected: 'value' | 'value or ]' | 'key' | 'key or }' | 'after' = 'value';
  let at = 0;
  for (;;) {
    at = endOf(space, text, at) ?? at;
    const character = text[at];
    if (character === undefined) return at;
    const closes = open.at(-1);
    if (character === closes && (expected === 'after' || expected.endsWith(closes))) {
      open.pop();
      expected = 'after';
      at++;
    } else if (expected === 'after') {
      if (character !== ',' || closes === undefined) return at;
      expected = closes === '}' ? 'key' : 'value';
      at++;
    } else if (character === '"') {
      const { end, isWhole } = endOfString(text, at);
      if (!isWhole) return end;
      at = end;
      if (expected.startsWith('key')) {
        at = endOf(space, text, at) ?? at;
        if (text[at] !== ':') return at;
        at++;
        expected = 'value';
      } else expected = 'after';
    } else if (expected.startsWith('key')) {
      return at;
    } else if (character === '[' || character === '{') {
      open.push(character === '[' ? ']' : '}');
      expected = character === '[' ? 'value or ]' : 'key or }';
      at++;
    } else {
      const end = endOf(scalar, text, at);
      if (end === undefined) return at;
      at = end;
      expected = 'after';
    }
  }
}

/** The place of an offset, as editors count. */
export function lineAndColumn(
  text: string,
  offset: number,
): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
