/** JSON of any length, as it comes: an object with one list, and what else there is to say. */

/**
 * `{"NAME": [...], ...more}`. Where the list is empty `whenEmpty` stands in its place, unless that is left out. Nothing is yielded
 * before the first items are there: until then an error can still have an answer of its own.
 */
export async function* jsonList(
  name: string,
  some: AsyncIterable<readonly unknown[]>,
  more: Readonly<Record<string, unknown>> = {},
  whenEmpty: () => Readonly<Record<string, unknown>> = () => ({ [name]: [] }),
): AsyncGenerator<string, void> {
  let isFirst = true;
  for await (const items of some) {
    if (items.length === 0) continue;
    yield `${isFirst ? `{${JSON.stringify(name)}:[` : ','}${items.map((item) => JSON.stringify(item)).join(',')}`;
    isFirst = false;
  }
  if (isFirst) yield `${JSON.stringify({ ...whenEmpty(), ...more })}\n`;
  else yield `]${Object.entries(more).map(memberOf).join('')}}\n`;
}

const memberOf = ([name, value]: [string, unknown]): string =>
  `,${JSON.stringify(name)}:${JSON.stringify(value)}`;

export async function* mapped<From, To>(
  items: AsyncIterable<From>,
  map: (item: From) => To,
): AsyncGenerator<To, void> {
  for await (const item of items) yield map(item);
}
