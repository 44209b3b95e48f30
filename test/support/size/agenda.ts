/** What happens when, on virtual time: acts of the same time in the order in which they were set. Milliseconds. */
export interface Agenda {
  readonly now: () => number;
  readonly after: (ms: number, act: () => void) => void;
  /** Does the next act; false where there is none. */
  readonly next: () => boolean;
}

interface Entry {
  readonly at: number;
  readonly number: number;
  readonly act: () => void;
}

const isBefore = (one: Entry, other: Entry): boolean =>
  one.at < other.at || (one.at === other.at && one.number < other.number);

export function createAgenda(): Agenda {
  /** A binary heap. */
  const heap: Entry[] = [];
  let [time, number] = [0, 0];

  function push(entry: Entry): void {
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  function pop(): Entry | undefined {
    const [first] = heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      const [left, right] = [heap[2 * place + 1], heap[2 * place + 2]];
      const child = right && left && isBefore(right, left) ? right : left;
      if (!child || !isBefore(child, last)) break;
      heap[place] = child;
      place = 2 * place + (child === left ? 1 : 2);
    }
    heap[place] = last;
    return first;
  }

  return {
    now: () => time,
    after: (ms, act) => push({ at: time + Math.max(0, ms), number: number++, act }),
    next: () => {
      const entry = pop();
      if (!entry) return false;
      time = entry.at;
      entry.act();
      return true;
    },
  };
}
