/** JSON of any length as a stream: an object with one list and further members. */

/**
 * `{"NAME": [...], ...more}`. In place of an empty list stands `whenEmpty`, where it is given. Nothing is yielded before the first items:
 * until then an error can still be answered with a problem.
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
