/** Names and values in the notations of flux-restful-api's clients, for `envars` and `option_flags`. Data in, data out. */

type Pairs = Readonly<Record<string, string>>;

/** Characters in a text of pairs. */
export const mostPairs = 65_536;

/**
 * From an object, JSON, `a=1,b=2`, or Python's repr of a dict of texts, which httpx writes into a query. For anything else, a sentence
 * without its subject.
 */
export function readPairs(value: unknown): Pairs | string {
  if (value === undefined || value === null || value === '') return {};
  if (typeof value === 'object') return asTexts(value);
  const text = String(value).trim();
  if (text.length > mostPairs) return `has ${text.length} characters, and may have ${mostPairs}`;
  if (text.startsWith('{'))
    return readJson(text) ?? readDict(text) ?? 'is neither JSON nor a Python dict of texts';
  const pairs = text.split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

const asTexts = (object: object): Pairs =>
  Object.fromEntries(Object.entries(object).map(([name, each]) => [name, String(each)]));

function readJson(text: string): Pairs | undefined {
  try {
    return asTexts(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Reads each character twice at most, whatever the text: for the begin of a string, then for the string. */
function readDict(text: string): Pairs | undefined {
  const quote = /['"]/g;
  const quoted = /'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)"/sy;
  const words: string[] = [];
  while (quote.test(text)) {
    quoted.lastIndex = quote.lastIndex - 1;
    const [, single, double] = quoted.exec(text) ?? [];
    const word = single ?? double;
    // A string without an end extends to the end of the text.
    if (word === undefined) return undefined;
    words.push(word.replace(/\\(.)/gs, '$1'));
    quote.lastIndex = quoted.lastIndex;
  }
  return Object.fromEntries(
    words.flatMap((word, place) => (place % 2 === 0 ? [[word, words[place + 1] ?? '']] : [])),
  );
}
