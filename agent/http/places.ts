/**
 * The places of connections in a server, and which connection gives way to a new one when all are taken. A new connection is always
 * accepted: a full server that refuses connections is blocked by the client that fills it.
 */

export interface Place {
  /** Of the client. */
  readonly address: string;
  /** Whether a request is under way. */
  busy: boolean;
  /** Whether it is so new that its request, if there is one, cannot have been read yet. */
  fresh: boolean;
}

export interface PlaceLimits {
  readonly connections: number;
  /** Of these, for one client's address. */
  readonly perAddress?: number;
}

export interface Places<Taken extends Place> {
  /** All that are taken, the oldest first. */
  readonly all: ReadonlySet<Taken>;
  /** Takes a place, also again, as the youngest. Returns the connection that gives way, whose place is then free. */
  readonly enter: (place: Taken) => Taken | undefined;
  /** Frees it; does nothing where it is free. */
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
      // An address with too many connections gives way itself.
      const rivals = same.size > perAddress ? same : all.size > connections ? all : [];
      const out = toGiveWay(rivals, place);
      if (out) leave(out);
      return out;
    },
  };
}

/**
 * Of `rivals`, the oldest first: the oldest without a request, else the oldest; never the newcomer. A fresh one may have a request: where
 * all others are busy, a probe would give way to a connection of the same moment.
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
