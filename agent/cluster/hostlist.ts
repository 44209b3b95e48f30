/**
 * Host lists in the compact form of RFC 29: `mc-[0-3,7]` stands for five hosts, in order.
 *
 * Where the RFC and flux-core (src/common/libhostlist) differ, this follows flux-core, which reads these lists: zeros are padded per range (`foo[005,4]` is foo005, foo4), and ids of different widths share a bracket.
 * Parsing is wider than flux-core in one thing (several brackets in one expression; there the second stays text)
 * and stricter in others (`[1-]`, blanks within brackets, and what is not printable ASCII are errors).
 */

/** As many hosts as flux-core takes in one range (MAX_RANGE in hostlist.c); here the limit for a whole list. */
const MAX_HOSTS = 2 ** 20;

/** No longer host name exists (POSIX HOST_NAME_MAX; a DNS name ends at 253): it bounds what a list can expand to. */
const MAX_NAME_LENGTH = 255;

/** More digits than this count as text: a JavaScript number would not be exact. */
const MAX_DIGITS = 15;

/** How much of a long input an error message repeats. */
const MAX_QUOTE = 80;

/**
 * The hosts of an RFC 29 host list, in its order, repetitions included. Expressions are separated by commas or
 * white space; several brackets in one expression expand left to right, the rightmost changing fastest.
 * Throws SyntaxError when the text is malformed or stands for more than 1 Mi hosts.
 */
export function parseHostlist(text: string): string[] {
  return parseHostlistWithin(text, MAX_HOSTS);
}

/** The same for at most so many hosts. Of its own, since an option would be the index in `map(parseHostlist)`. */
export function parseHostlistWithin(text: string, most: number): string[] {
  const hosts: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (isSeparator(text.charAt(at))) {
      at += 1;
      continue;
    }
    const expression = readExpression(text, at, { left: most - hosts.length, most });
    for (const host of expand(expression.segments)) hosts.push(host);
    at = expression.end;
  }
  return hosts;
}

/**
 * The shortest RFC 29 form that keeps order and repetitions, as flux-core's hostlist_encode prints it: neighbours that
 * differ only in a number at the end share a bracket. Names with a number elsewhere (`mc-3.svc.ns`) stay as they are.
 * Throws SyntaxError for a name that no host list can hold.
 */
export function formatHostlist(hosts: readonly string[]): string {
  const groups: Group[] = [];
  for (const host of hosts) {
    assertName(host);
    addToGroups(groups, splitName(host));
  }
  return groups.map(formatGroup).join(',');
}

/**
 * The host list of an Indexed Job's pods 0 to `count - 1`: `mc-[0-3].svc`, or `mc-0.svc` for one, whatever the count
 * in constant time. Throws RangeError for a count that is not 1 to 1 Mi, SyntaxError for text that is no part of a name.
 */
export function formatIndexedHosts(prefix: string, count: number, suffix = ''): string {
  if (!Number.isInteger(count) || count < 1 || count > MAX_HOSTS) {
    throw new RangeError(
      `Cannot format hosts ${quote(`${prefix}N${suffix}`)}: the count must be 1 to ${MAX_HOSTS}, not ${count}`,
    );
  }
  const last = count - 1;
  assertName(`${prefix}${last}${suffix}`);
  return count === 1 ? `${prefix}0${suffix}` : `${prefix}[0-${last}]${suffix}`;
}

// Parsing

/** The alternatives of one place of a name: one text, or each of a bracket's ids. */
type Segment = readonly string[];

interface Expression {
  readonly segments: readonly Segment[];
  /** Where the text after the expression starts. */
  readonly end: number;
}

/** How many hosts a list may stand for, and what its expressions so far have left of them. */
type Limit = Readonly<Record<'most' | 'left', number>>;

/** Reads one expression (`prefix[ids]middle[ids]suffix`). */
function readExpression(text: string, start: number, limit: Limit): Expression {
  const segments: Segment[] = [];
  let at = start;
  let hosts = 1;
  let nameLength = 0;
  while (at < text.length && !isSeparator(text.charAt(at))) {
    const [segment, end] = text.charAt(at) === '[' ? readBracket(text, at, limit) : readLiteral(text, at);
    hosts *= segment.length;
    if (hosts > limit.left) fail(text, start, `the list has more than ${limit.most} hosts`);
    // A range's last id is its longest; an id list can have its longest anywhere.
    nameLength += segment.reduce((longest, { length }) => Math.max(longest, length), 0);
    if (nameLength > MAX_NAME_LENGTH)
      fail(text, start, `the name has more than ${MAX_NAME_LENGTH} characters`);
    segments.push(segment);
    at = end;
  }
  return { segments, end: at };
}

function readLiteral(text: string, start: number): [Segment, number] {
  let end = start;
  while (end < text.length && text.charAt(end) !== '[' && !isSeparator(text.charAt(end))) {
    if (text.charAt(end) === ']') fail(text, end, 'bracket was not opened');
    if (!isPrintable(text.charAt(end))) fail(text, end, 'a host name is printable ASCII');
    end += 1;
  }
  return [[text.slice(start, end)], end];
}

function readBracket(text: string, start: number, limit: Limit): [Segment, number] {
  const close = text.indexOf(']', start);
  if (close < 0) fail(text, start, 'bracket is not closed');
  const ids: string[] = [];
  let at = start + 1;
  for (const range of text.slice(at, close).split(',')) {
    appendRange(ids, range, limit, (reason) => fail(text, at, reason));
    at += range.length + 1;
  }
  return [ids, close + 1];
}

/** Appends the ids of `7` or `008-012`, each as wide as the first is written. */
function appendRange(ids: string[], range: string, limit: Limit, failRange: (why: string) => never): void {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  if (first === undefined) {
    failRange(
      range.includes('[') ? 'brackets do not nest' : `expected a number or a range, not ${quote(range)}`,
    );
  }
  const more = limit.left - ids.length;
  if (last === undefined && more > 0) {
    ids.push(first);
    return;
  }
  const low = Number(first);
  const high = Number(last ?? first);
  if (low > high) failRange(`range ${quote(range)} is reversed`);
  if (high - low + 1 > more) failRange(`the list has more than ${limit.most} hosts`);
  if (!Number.isSafeInteger(high)) failRange(`range ${quote(range)} has too large a number`);
  if (first.length > MAX_NAME_LENGTH) failRange(`the name has more than ${MAX_NAME_LENGTH} characters`);
  for (let id = low; id <= high; id += 1) ids.push(String(id).padStart(first.length, '0'));
}

/** Every combination of the segments, the rightmost changing fastest. */
function expand(segments: readonly Segment[]): readonly string[] {
  let names: readonly string[] = [''];
  for (const segment of joinTexts(segments)) {
    names = names.flatMap((name) => segment.map((part) => name + part));
  }
  return names;
}

/** Joins neighbours with one alternative, so that each step of the expansion at least doubles the list. */
function joinTexts(segments: readonly Segment[]): Segment[] {
  const joined: Segment[] = [];
  for (const segment of segments) {
    const previous = joined.at(-1);
    if (previous?.length === 1 && segment.length === 1) joined.splice(-1, 1, [`${previous[0]}${segment[0]}`]);
    else joined.push(segment);
  }
  return joined;
}

/** flux-core separates by tab, comma and blank; line ends come with lists that were read from a file. */
function isSeparator(character: string): boolean {
  return ', \t\n\r'.includes(character);
}

function isPrintable(character: string): boolean {
  return character > ' ' && character <= '~';
}

function fail(text: string, at: number, reason: string): never {
  throw new SyntaxError(`Cannot parse hostlist ${quote(text)}: ${reason} (at character ${at + 1})`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);
}

// Formatting

/** A name as its text and, where it ends in one, its number with the leading zeros it was written with. */
interface SplitName {
  readonly prefix: string;
  readonly digits: string;
}

/** Names of one prefix that follow one another: one bracket. A name without a number stands alone. */
interface Group {
  readonly prefix: string;
  readonly ranges: Range[];
}

interface Range {
  readonly low: number;
  high: number;
  readonly width: number;
}

function splitName(host: string): SplitName {
  const at = host.search(/\d*$/);
  if (host.length - at > MAX_DIGITS) return { prefix: host, digits: '' };
  return { prefix: host.slice(0, at), digits: host.slice(at) };
}

function addToGroups(groups: Group[], { prefix, digits }: SplitName): void {
  if (digits === '') {
    groups.push({ prefix, ranges: [] });
    return;
  }
  const id = Number(digits);
  const group = groups.at(-1);
  const range = group?.ranges.at(-1);
  if (group === undefined || range === undefined || group.prefix !== prefix) {
    groups.push({ prefix, ranges: [{ low: id, high: id, width: digits.length }] });
  } else if (id === range.high + 1 && pad(id, range.width) === digits) {
    range.high = id;
  } else {
    group.ranges.push({ low: id, high: id, width: digits.length });
  }
}

function formatGroup({ prefix, ranges }: Group): string {
  const ids = ranges.map(({ low, high, width }) =>
    low === high ? pad(low, width) : `${pad(low, width)}-${pad(high, width)}`,
  );
  const [first] = ranges;
  const isOne = first === undefined || (ranges.length === 1 && first.low === first.high);
  return isOne ? `${prefix}${ids.join('')}` : `${prefix}[${ids.join(',')}]`;
}

function assertName(host: string): void {
  if (!/^[!-~]+$/.test(host) || /[,[\]]/.test(host) || host.length > MAX_NAME_LENGTH) {
    throw new SyntaxError(
      `Cannot format host ${quote(host)}: a name is 1 to ${MAX_NAME_LENGTH} printable ASCII characters ` +
        'without blanks, commas and brackets',
    );
  }
}

function pad(id: number, width: number): string {
  return String(id).padStart(width, '0');
}
