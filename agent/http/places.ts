/**
 * The places that connections take in a server, and which connection gives way when there is one too many. A new connection is always
 * accepted: a server that refuses what comes when it is full is closed by whoever fills it.
 */

export interface Place {
  /** Of the client. */
  readonly address: string;
  /** Whether a request is under way. */
  busy: boolean;
  /** Whether it has come so lately that its request, if there is one, cannot have been read yet. */
  fresh: boolean;
}

export interface PlaceLimits {
  readonly connections: number;
  /** Of these, for one client's address. */
  readonly perAddress?: number;
}

export interface Places<Taken extends Place> {
  /** All that are taken, the one that was entered first at the head. */
  readonly all: ReadonlySet<Taken>;
  /** Takes a place, again also, and becomes the youngest. Returns the connection that gives way, whose place is free then. */
  readonly enter: (place: Taken) => Taken | undefined;
  /** Frees it; nothing where it is free. */
  readonly leave: (place: Taken) => void;
}

export function createPlaces<Taken extends Place>({
  connections,
  perAddress = connections,
}: PlaceLimits): Places<Taken> {
  const all = new Set<Taken>();
  const byAddress = new Map<string, Set<Taken>>();

  const leave = (place: Taken) => {
    if (!all.delete(place)) return;
    const same = byAddress.get(place.address);
    same?.delete(place);
    if (same?.size === 0) byAddress.delete(place.address);
  };

  return {
    all,
    leave,
    enter: (place) => {
      leave(place);
      const same = byAddress.get(place.address) ?? new Set();
      byAddress.set(place.address, same.add(place));
      all.add(place);
      // The address that has too many pays for it, not the others.
      const rivals = same.size > perAddress ? same : all.size > connections ? all : [];
      const out = toGiveWay(rivals, place);
      if (out) leave(out);
      return out;
    },
  };
}

/**
 * Of `rivals`, the oldest first: the one that has been without a request for longest, else the oldest; never the newcomer. A fresh one may
 * have a request: where all others are busy, a probe would give way to whoever comes in the same moment.
 */
function toGiveWay<Taken extends Place>(rivals: Iterable<Taken>, newcomer: Taken): Taken | undefined {
  let oldest: Taken | undefined;
  for (const rival of rivals) {
    if (rival === newcomer) continue;
    if (!rival.busy && !rival.fresh) return rival;
    oldest ??= rival;
  }
  return oldest;
}
