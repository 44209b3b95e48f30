/** The addresses at which the parent may be, and what became of connecting to each. Pure: the clock's reading comes with each event. */

import { reconnectMs } from './backoff.ts';
import type { Instant } from './wait-reason.ts';

export interface Candidate {
  readonly address: string;
  /** Whether the answer said that it is the parent's. If it only said that it is a pod of the Service, whoever accepts must still be asked for. */
  readonly isParent: boolean;
  /** `refused`, `no reply`, or the system's word for it. */
  readonly seen: string;
  /** While a connection is under way: since when. */
  readonly trying: Instant | undefined;
  readonly tries: number;
  readonly nextTryAt: Instant;
  readonly refusedSince: Instant | undefined;
  /** When an answer last had it. */
  readonly givenAt: Instant;
  /** The parent listened here until it went. That it refuses now is no promise that it will listen again. */
  readonly wasLeft: boolean;
}

export type Candidates = ReadonlyMap<string, Candidate>;

/**
 * RFC 8305, section 5: a first connection gets 250 ms before the next candidate is tried beside it, later ones 100. An address
 * that has not answered a SYN until then is suspected to be a dead pod's.
 */
export const suspectAfterMs = 250;
export const suspectNextAfterMs = 100;

/** What an answer says, added. Those that no answer has had for `keepMs` are dropped: somebody else may live there by now. */
export function given(
  candidates: Candidates,
  addresses: readonly string[],
  isParent: boolean,
  at: Instant,
  keepMs: number,
): Candidates {
  const kept = [...candidates.values()].filter(({ givenAt }) => givenAt > at - keepMs);
  const next = new Map(kept.map((candidate) => [candidate.address, candidate]));
  for (const address of addresses) {
    const known = next.get(address);
    const found = known ?? {
      address,
      seen: '',
      trying: undefined,
      tries: 0,
      nextTryAt: at,
      refusedSince: undefined,
      wasLeft: false,
    };
    // Found to be another pod, or not known whose: an answer that names it ends the doubt.
    const cleared = isParent && known?.isParent === false && known.trying === undefined;
    next.set(address, {
      ...found,
      isParent: isParent || known?.isParent === true,
      givenAt: at,
      ...(cleared && { nextTryAt: at }),
    });
  }
  return next;
}

/** Where the parent was until it went. */
export const left = (addresses: readonly string[], at: Instant): Candidates =>
  new Map(
    [...given(new Map(), addresses, true, at, 0)].map(([address, candidate]) => [
      address,
      { ...candidate, wasLeft: true },
    ]),
  );

export function tried(candidates: Candidates, address: string, at: Instant): Candidates {
  return changed(candidates, address, (candidate) => ({ trying: at, tries: candidate.tries + 1 }));
}

/** A connection failed. All pods of a Service, asked by all of them, are the square of their number: those are tried more seldom. */
export function failed(
  candidates: Candidates,
  address: string,
  seen: string,
  { at, size, random }: { at: Instant; size: number; random: number },
): Candidates {
  return changed(candidates, address, ({ isParent, tries, refusedSince, wasLeft }) => ({
    seen,
    trying: undefined,
    refusedSince: seen === 'refused' && !wasLeft ? (refusedSince ?? at) : undefined,
    nextTryAt:
      at + (isParent ? reconnectMs(tries, size, random) : Math.max(1000, 16 * size) * (0.75 + random / 2)),
  }));
}

/** Seen of an address at which somebody accepts connections who is not of this instance: the answer that had it is old. */
export const notOurs = 'another instance';

/** It accepts, but is another pod: it is not tried again unless an answer says that it is the parent. */
export function isSomebodyElse(candidates: Candidates, address: string): Candidates {
  return changed(candidates, address, () => ({
    seen: 'another pod',
    trying: undefined,
    nextTryAt: Number.POSITIVE_INFINITY,
  }));
}

/** Those of which an answer said that they are the parent's. */
export const ofParent = (candidates: Candidates): Candidates =>
  new Map([...candidates].filter(([, { isParent }]) => isParent));

/** Since when somebody refuses: a pod that is there, whose broker is not yet. */
export function refusedSince(candidates: Candidates): Instant | undefined {
  const since = [...ofParent(candidates).values()].flatMap((each) => each.refusedSince ?? []);
  return since.length > 0 ? Math.min(...since) : undefined;
}

function changed(
  candidates: Candidates,
  address: string,
  change: (candidate: Candidate) => Partial<Candidate>,
): Candidates {
  const candidate = candidates.get(address);
  if (!candidate) return candidates;
  return new Map(candidates).set(address, { ...candidate, ...change(candidate) });
}

/** What the parent's candidates look like together: one that lives says more than one that does not. */
export function outlook(
  candidates: Candidates,
  now: Instant,
): 'refused' | 'stale address' | string | undefined {
  const all = [...ofParent(candidates).values()].map((candidate) => seenAt(candidate, now));
  const said = all.filter((seen) => seen !== '');
  if (said.includes('refused')) return 'refused';
  if (said.includes('no reply') || said.includes(notOurs)) return 'stale address';
  return said.length > 0 ? [...new Set(said)].join(', ') : undefined;
}

/** What is known of one now: a SYN that has been under way for long is not going to be answered. */
export function seenAt({ trying, seen }: Candidate, now: Instant): string {
  return trying !== undefined && now - trying >= suspectAfterMs ? 'no reply' : seen;
}
