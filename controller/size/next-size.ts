/**
 * The size of a MiniCluster that follows its demand: pure. It grows at once to what whole jobs need. It shrinks to what was enough for the whole
 * window, in two steps, because an Indexed Job loses its highest indexes and whatever runs there: first the leader is asked to keep the
 * ranks below the new size (it drains the others), and when it reports that nothing is left on those, the Job gets the size.
 */

/** As the leader reports it (agent/controller-link/report.ts). */
export interface SizeDemand {
  /** The least size with which every job that runs keeps its nodes, and all that can run now could run at once. */
  readonly wanted: number;
  /** 1 + the highest rank with a job. */
  readonly busy: number;
  /** The job that decides. */
  readonly reason?: string | undefined;
}

/** What decides on the size: the demand, a client of the scale subresource, or spec.size. */
export type SizeOwner = 'Demand' | 'Spec' | `Scale:${string}`;

export interface SizeInput {
  /** Of the Job. */
  readonly size: number;
  /** Undefined while there is no report. */
  readonly demand: SizeDemand | undefined;
  /** The leader has drained the ranks from here up, and nothing runs on them. Undefined while that is not so. */
  readonly freed: number | undefined;
  /** Pods of ranks that the Job no longer has are still there. */
  readonly leaving: boolean;
  readonly limits: { readonly min: number; readonly max: number };
  /** For so long a smaller size has to have been enough. Milliseconds. */
  readonly windowMs: number;
  readonly owner: SizeOwner;
}

/** What was needed, until a time. */
interface Need {
  readonly size: number;
  /** Monotonic milliseconds. */
  readonly until: number;
}

export interface SizeState {
  /** Since the last call. */
  readonly need: number;
  /** Within the window: the largest and oldest first, all of them larger than `need`. */
  readonly past: readonly Need[];
  readonly keep: number;
  /** What the last report named as freed when ranks were taken back: it may be older than that. */
  readonly staleFreed: number | undefined;
}

export interface NextSize {
  /** Undefined where there is nothing to remember: the next call begins with a full window. */
  readonly state: SizeState | undefined;
  /** The Job's. */
  readonly size: number;
  /** What the leader is asked to keep: ranks from here up take no new jobs. Undefined: it is asked for nothing. */
  readonly keep: number | undefined;
  /** When something changes without an event. Milliseconds. */
  readonly again: number | undefined;
  /** Why `size` is another one; undefined where it is not. */
  readonly reason: string | undefined;
}

/** `now`: monotonic milliseconds. Of a controller that starts, or loses its link to the leader, `state` is undefined. */
export function nextSize(state: SizeState | undefined, input: SizeInput, now: number): NextSize {
  const { size, demand, leaving, limits, owner } = input;
  const nothing = { state: undefined, size, again: undefined, reason: undefined };
  // A rank that is taken back while its pod is about to stop could still get a job.
  const all = leaving ? Math.min(size, limits.max) : limits.max;
  if (owner !== 'Demand') return { ...nothing, keep: all };
  if (!demand) return { ...nothing, keep: undefined };

  const need = Math.min(limits.max, Math.max(limits.min, demand.wanted, demand.busy));
  const past = pastNeeds(state, need, input, now);
  const enough = past[0]?.size ?? need;
  const [oldest] = past;
  const again = need < size && oldest ? oldest.until + input.windowMs - now : undefined;
  const next = (keep: number, to = size, reason?: string): NextSize => ({
    state: { need, past, keep, staleFreed: staleAfter(state, input.freed, keep) },
    size: to,
    keep,
    again,
    reason,
  });

  if (need > size) {
    // A Job that shrinks and grows again at once would keep the pods that the leader has been told to expect no more.
    if (leaving) return next(all);
    return next(limits.max, need, demand.reason ?? `${count(need)} wanted`);
  }
  if (enough >= size) return next(all);
  const { freed } = input;
  const isFree =
    state?.keep === enough && freed !== undefined && freed <= enough && freed !== state.staleFreed;
  if (!isFree) return next(enough);
  return next(enough, enough, `for ${input.windowMs / 1000} s no more than ${count(enough)} needed`);
}

const count = (nodes: number): string => (nodes === 1 ? '1 node is' : `${nodes} nodes are`);

/** With what was needed until now. Before the first report it was all there is. */
function pastNeeds(
  state: SizeState | undefined,
  need: number,
  { size, windowMs }: SizeInput,
  now: number,
): readonly Need[] {
  const last = { size: state?.need ?? size, until: now };
  const earlier = (state?.past ?? []).filter((each) => each.size > last.size);
  return [...earlier, last].filter((each) => each.size > need && each.until + windowMs > now);
}

/** Ranks are taken back: what was reported as freed before counts no longer, until another report comes. */
function staleAfter(
  state: SizeState | undefined,
  freed: number | undefined,
  keep: number,
): number | undefined {
  if (!state || keep > state.keep) return freed;
  return freed === state.staleFreed ? freed : undefined;
}
