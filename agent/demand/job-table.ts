/**
 * All active jobs in 16 bytes each: the id, the priority, the state and the place of the shape. Open addressing with linear probing in typed
 * arrays, so that 100,000 jobs are 2 MiB and no work for the garbage collection.
 */

export interface JobRow {
  /** A small number of the caller's: below 2^24. */
  readonly shape: number;
  /** 1 to 255. */
  readonly state: number;
  /** 32 bits. */
  readonly priority: number;
}

export interface JobTable {
  readonly size: () => number;
  readonly get: (id: bigint) => JobRow | undefined;
  readonly set: (id: bigint, row: JobRow) => void;
  readonly delete: (id: bigint) => void;
  /** Calls with each job, in no order: its id in two halves, since a bigint of each would be garbage. */
  readonly forEach: (
    call: (shape: number, state: number, priority: number, high: number, low: number) => void,
  ) => void;
}

export const idOf = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low);

const leastSlots = 64;

export function createJobTable(): JobTable {
  let size = 0;
  let mask = leastSlots - 1;
  let words = new Uint32Array(leastSlots * 4);

  /** Its state is 0. */
  const isFree = (slot: number) => words[slot * 4 + 3] === 0;
  const slotOf = (high: number, low: number): number => {
    let slot = hash(high, low) & mask;
    for (;;) {
      if (isFree(slot) || (words[slot * 4] === high && words[slot * 4 + 1] === low)) return slot;
      slot = (slot + 1) & mask;
    }
  };

  const resize = (slots: number) => {
    const before = words;
    words = new Uint32Array(slots * 4);
    mask = slots - 1;
    for (let at = 0; at < before.length; at += 4)
      if (before[at + 3] !== 0)
        words.set(before.subarray(at, at + 4), slotOf(before[at] ?? 0, before[at + 1] ?? 0) * 4);
  };

  return {
    size: () => size,
    get: (id) => {
      const slot = slotOf(highOf(id), lowOf(id));
      if (isFree(slot)) return undefined;
      const [priority = 0, word = 0] = [words[slot * 4 + 2], words[slot * 4 + 3]];
      return { priority, state: word & 0xff, shape: word >>> 8 };
    },
    set: (id, { shape, state, priority }) => {
      let slot = slotOf(highOf(id), lowOf(id));
      if (isFree(slot)) {
        size++;
        if (size * 5 > (mask + 1) * 4) {
          resize((mask + 1) * 2);
          slot = slotOf(highOf(id), lowOf(id));
        }
      }
      words.set([highOf(id), lowOf(id), priority, ((shape << 8) | state) >>> 0], slot * 4);
    },
    delete: (id) => {
      let free = slotOf(highOf(id), lowOf(id));
      if (isFree(free)) return;
      size--;
      // Rows behind the gap move up, so that each is still found from where its search begins.
      for (let slot = (free + 1) & mask; !isFree(slot); slot = (slot + 1) & mask) {
        const start = hash(words[slot * 4] ?? 0, words[slot * 4 + 1] ?? 0) & mask;
        if (((slot - start) & mask) < ((slot - free) & mask)) continue;
        words.copyWithin(free * 4, slot * 4, slot * 4 + 4);
        free = slot;
      }
      words.fill(0, free * 4, free * 4 + 4);
      if (mask + 1 > leastSlots && size * 8 < mask + 1) resize((mask + 1) / 2);
    },
    forEach: (call) => {
      for (let at = 0; at < words.length; at += 4) {
        const [high = 0, low = 0, priority = 0, word = 0] = [
          words[at],
          words[at + 1],
          words[at + 2],
          words[at + 3],
        ];
        if (word !== 0) call(word >>> 8, word & 0xff, priority, high, low);
      }
    },
  };
}

const highOf = (id: bigint): number => Number((id >> 32n) & 0xffff_ffffn);
const lowOf = (id: bigint): number => Number(id & 0xffff_ffffn);

/** Ids of one second differ in few bits. */
function hash(high: number, low: number): number {
  let mixed = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0xc2b2_ae35) ^ (mixed >>> 13);
}
