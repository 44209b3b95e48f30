const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const escaped = (character: string): string =>
  short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * A text as one line that a terminal shows and does not obey. The escapes are those of JSON, so that JSON stays JSON. Escaped is what a terminal,
 * or a reader of lines, would take for more than text: control characters (C0, DEL, C1), the separators of lines and paragraphs, and what
 * changes the direction of writing (Unicode categories Cc, Zl, Zp; property Bidi_Control).
 */
export const printable = (text: string): string =>
  // Made here: to parse these properties takes 0.4 ms, and not every process has something to escape.
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, escaped);

/** The same for a text of several lines, which stay lines. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');
