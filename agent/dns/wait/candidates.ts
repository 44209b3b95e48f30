/** Candidate addresses of the parent, each with the outcome of connecting to it. Pure: the clock's reading comes with each event. */

import { reconnectMs, withJitter } from './backoff.ts';
import type { Instant } from './wait-reason.ts';

export interface Candidate {
  readonly address: string;
  /** Whether an answer named it as the parent's. An address of the Service's list may be another pod's: its PTR record decides. */
  readonly isParent: boolean;
  /** The outcome of the last attempt: `refused`, `no reply`, or the errno's name. */
  readonly seen: string;
  /** Since when a connection attempt is under way. */
  readonly trying: Instant | undefined;
  readonly tries: number;
  readonly nextTryAt: Instant;
  readonly refusedSince: Instant | undefined;
  /** When it was last in an answer. */
  readonly givenAt: Instant;
  /** The parent listened here before it was lost: that it refuses now does not mean that its broker starts. */
  readonly wasLost: boolean;
}

export type Candidates = ReadonlyMap<string, Candidate>;

/**
 * RFC 8305, section 5: a first connection gets 250 ms before the next candidate is tried beside it. Later ones get 60, less than the 100 that it
 * recommends for the Internet: in a cluster a reply takes a millisecond, and each cache of a dead address adds this to the wait. An address that has
 * not answered a SYN until then is suspected to be a dead pod's.
 */
export const suspectAfterMs = 250;
export const suspectNextAfterMs = 60;

/** Adds the addresses of an answer. Those in no answer for `keepMs` are dropped: another pod may have them by now. */
export function addAnswer(
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
      wasLost: false,
    };
    // Another pod's, or of an unknown pod: an answer that names it as the parent's decides.
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

/** The addresses of a parent that was lost. */
export const lostParent = (addresses: readonly string[], at: Instant): Candidates =>
  new Map(
    [...addAnswer(new Map(), addresses, true, at, 0)].map(([address, candidate]) => [
      address,
      { ...candidate, wasLost: true },
    ]),
  );

export function tried(candidates: Candidates, address: string, at: Instant): Candidates {
  return changed(candidates, address, (candidate) => ({ trying: at, tries: candidate.tries + 1 }));
}

/** A connection failed. All pods that try all pods of a Service are the square of their number: those are tried less often. */
export function failed(
  candidates: Candidates,
  address: string,
  seen: string,
  { at, size, random }: { at: Instant; size: number; random: number },
): Candidates {
  return changed(candidates, address, ({ isParent, tries, refusedSince, wasLost }) => ({
    seen,
    trying: undefined,
    refusedSince: seen === 'refused' && !wasLost ? (refusedSince ?? at) : undefined,
    nextTryAt:
      at + (isParent ? reconnectMs(tries, size, random) : withJitter(Math.max(1000, 16 * size), random)),
  }));
}

/** Seen of an address at which a foreign instance accepts connections: the answer with it is stale. */
export const foreignInstance = 'foreign instance';

/** It accepts, and is another pod: it is not tried again unless an answer names it as the parent's. */
export function anotherPod(candidates: Candidates, address: string): Candidates {
  return changed(candidates, address, () => ({
    seen: 'another pod',
    trying: undefined,
    nextTryAt: Number.POSITIVE_INFINITY,
  }));
}

/** Those that an answer named as the parent's. */
export const ofParent = (candidates: Candidates): Candidates =>
  new Map([...candidates].filter(([, { isParent }]) => isParent));

/** Since when one refuses: a pod whose broker does not listen yet. */
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

/** The state of the parent's candidates together: an address that refuses counts more than one without a reply. */
export function outlook(
  candidates: Candidates,
  now: Instant,
): 'refused' | 'no reply from the address' | string | undefined {
  const all = [...ofParent(candidates).values()].map((candidate) => seenAt(candidate, now));
  const outcomes = all.filter((seen) => seen !== '');
  if (outcomes.includes('refused')) return 'refused';
  if (outcomes.includes('no reply') || outcomes.includes(foreignInstance)) return 'no reply from the address';
  return outcomes.length > 0 ? [...new Set(outcomes)].join(', ') : undefined;
}

/** The outcome as far as it is known now: a SYN that has been under way for long will have no reply. */
export function seenAt({ trying, seen }: Candidate, now: Instant): string {
  return trying !== undefined && now - trying >= suspectAfterMs ? 'no reply' : seen;
}
