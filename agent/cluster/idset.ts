/** Sets of non-negative integers (ranks, cores) in the compact form of RFC 22: `0-3,7`. */

/** The largest id: flux-core's IDSET_MAX_UNIVERSE (src/common/libidset/idset.h) is 2^31. */
const MAX_ID = 2 ** 31 - 1;

/** The limit of a set: `0-2147483647` must not become an array of 16 GB. */
const MAX_MEMBERS = 2 ** 20;

/** How much of a long input an error message repeats. */
const MAX_QUOTE = 80;

/**
 * The ids of an RFC 22 idset, ascending and unique; none for `` and `[]`. As in flux-core's idset_decode ids and ranges
 * must ascend without overlap and have no leading zeros; stray commas, which it ignores, are errors here.
 * Throws SyntaxError when the text is malformed, names an id over 2^31 - 1, or more than 1 Mi ids.
 */
export function parseIdset(text: string): number[] {
  return parseIdsetWithin(text, MAX_MEMBERS);
}

/** The same for at most so many ids, of which it makes no more before it throws. Of its own, since an option would be the index in `map(parseIdset)`. */
export function parseIdsetWithin(text: string, most: number): number[] {
  const inner = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const ids: number[] = [];
  if (inner === '') return ids;
  for (const element of inner.split(',')) {
    const [low, high] = readElement(element, (reason) => fail(text, reason));
    if (low <= (ids.at(-1) ?? -1)) fail(text, `${quote(element)} is out of order`);
    if (ids.length + high - low + 1 > most) fail(text, `it has more than ${most} ids`);
    for (let id = low; id <= high; id += 1) ids.push(id);
  }
  return ids;
}

/**
 * The same for Linux's `cpuset.cpus` and its like: an idset and a line end, or a line end only (cpuset(7), List Format). Throws as parseIdset does.
 */
export function parseCpuList(text: string): number[] {
  return parseIdset(text.trim());
}

/**
 * The RFC 22 text of a set of ids, given in any order and perhaps repeatedly: `0-3,7`. No ids give an empty text.
 * Throws RangeError for what is not an integer of 0 to 2^31 - 1.
 */
export function formatIdset(ids: Iterable<number>): string {
  const ranges: { readonly low: number; high: number }[] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID) {
      throw new RangeError(`Cannot format idset: an id is an integer of 0 to ${MAX_ID}, not ${id}`);
    }
    const range = ranges.at(-1);
    if (range === undefined || id > range.high + 1) ranges.push({ low: id, high: id });
    else range.high = id;
  }
  return ranges.map(({ low, high }) => (low === high ? `${low}` : `${low}-${high}`)).join(',');
}

/** The first and the last id of `7` or `3-5`. */
function readElement(element: string, failElement: (reason: string) => never): [low: number, high: number] {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(element) ?? [];
  if (first === undefined) {
    failElement(element === '' ? 'an id is missing' : `expected an id or a range, not ${quote(element)}`);
  }
  const low = readId(first, failElement);
  if (last === undefined) return [low, low];
  const high = readId(last, failElement);
  if (high <= low) failElement(`range ${quote(element)} does not ascend`);
  return [low, high];
}

function readId(digits: string, failId: (reason: string) => never): number {
  if (digits.length > 1 && digits.startsWith('0')) failId(`id ${quote(digits)} has a leading zero`);
  const id = Number(digits);
  if (id > MAX_ID) failId(`id ${quote(digits)} is over ${MAX_ID}`);
  return id;
}

function fail(text: string, reason: string): never {
  throw new SyntaxError(`Cannot parse idset ${quote(text)}: ${reason}`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);
}
