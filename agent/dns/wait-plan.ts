/**
 * What to ask next on the way to the parent, where to connect, and when, given what has been seen. Pure: events go in with the
 * clock's reading and a random number, moves come out, so that 10,000 pods can be played through in a test.
 */
import {
  type Candidates,
  failed,
  given,
  isSomebodyElse,
  ofParent,
  outlook,
  suspectAfterMs,
  suspectNextAfterMs,
  tried,
} from './candidates.ts';
import { type Denials, denied, keptUntil } from './denials.ts';
import {
  answeredBy,
  bar,
  type Freshness,
  nextKey,
  seenTtl,
  spacingMs,
  unanswered,
  untouched,
} from './freshness.ts';
import { type Lookup, largestListed, type NameLookup, type ParentName } from './lookup.ts';
import type { Reply } from './message.ts';
import type { Instant, Obstacle } from './obstacle.ts';
import { firstPauseMs, pauseMs, shareMs } from './pace.ts';

/** What stays the same during a wait. */
export interface WaitFor {
  /** Undefined where the parent is given by its address: then nothing is asked. */
  readonly parent: ParentName | undefined;
  readonly size: number;
  readonly rank: number;
  /** Whether the API server may be asked. */
  readonly endpointSlices: boolean;
}

export interface Wait {
  readonly startedAt: Instant;
  /** Whether a question is under way; there is one at a time, besides those about the Service and to the API server. */
  readonly asking: boolean;
  /** Before when nothing is asked, before when no address. */
  readonly notBefore: Instant;
  readonly addressNotBefore: Instant;
  /** Questions answered, for the growing pauses. */
  readonly attempt: number;
  /** Why the last question was no help: `no answer`, or the server's code. */
  readonly trouble: string | undefined;
  /** When the name was last seen to exist, and whether it was last denied. */
  readonly existsAt: Instant | undefined;
  readonly nameDenied: boolean;
  readonly denials: Denials | undefined;
  readonly addressDenied: 'address denied' | 'no address of this family' | undefined;
  /** Whether to ask for the Service's name, when that was done last, and whether it was denied. */
  readonly wantsService: boolean;
  readonly serviceAskedAt: Instant | undefined;
  readonly serviceDenied: boolean;
  readonly slicesAskedAt: Instant | undefined;
  readonly freshness: Freshness;
  readonly candidates: Candidates;
}

export type Event =
  | { readonly kind: 'asked'; readonly lookup: Lookup }
  | { readonly kind: 'answered'; readonly lookup: NameLookup; readonly reply: Reply | undefined }
  | { readonly kind: 'slices'; readonly addresses: readonly string[] }
  | { readonly kind: 'connecting'; readonly address: string }
  | { readonly kind: 'not connected'; readonly address: string; readonly seen: string }
  /** It accepts, and is not the parent; or, without `whose`, nobody can tell. */
  | { readonly kind: 'not the parent'; readonly address: string; readonly whose: string | undefined };

export interface Moves {
  readonly ask: readonly Lookup[];
  readonly connect: readonly string[];
  /** When there is something to do next if nothing happens before. */
  readonly wakeAt: Instant;
}

/** An existing name may cease to exist, and whoever then asks for its address has that denied to all for 30 s. */
const existenceHoldsMs = 1000;
/** A pod that refuses lives, and its broker is about to listen; for longer than this it may be somebody else who got a dead pod's address. */
const trustRefusedMs = 1000;
/** How far apart its address is asked for then. */
const resolveRefusedMs = 800;
/** However long a resolver says it will keep a denial: it may be restarted, and a question does not prolong what is kept. */
const longestHoldMs = 10_000;
const askServiceAfterMs = 2000;
const askSlicesAgainMs = 5000;
const forgetMs = 60_000;

export function beginWait(
  { parent, size, rank }: WaitFor,
  literal: string,
  at: Instant,
  random: number,
): Wait {
  return {
    startedAt: at,
    asking: false,
    notBefore: at + (parent ? firstPauseMs(rank, size, random) : 0),
    addressNotBefore: at,
    attempt: 0,
    trouble: undefined,
    existsAt: undefined,
    nameDenied: false,
    denials: undefined,
    addressDenied: undefined,
    wantsService: false,
    serviceAskedAt: undefined,
    serviceDenied: false,
    slicesAskedAt: undefined,
    freshness: untouched(size > largestListed || !parent?.service ? ['peers'] : []),
    candidates: parent ? new Map() : given(new Map(), [literal], true, at, forgetMs),
  };
}

/** What to do now. */
export function nextMoves(wait: Wait, waitFor: WaitFor, now: Instant): Moves {
  const connect = [...wait.candidates.values()].filter(
    ({ trying, nextTryAt }) => trying === undefined && nextTryAt <= now,
  );
  const questionAt = nextQuestionAt(wait, waitFor);
  const later = [...wait.candidates.values()].flatMap(({ trying, nextTryAt }) =>
    trying === undefined && nextTryAt > now ? [nextTryAt] : [],
  );
  return {
    ask: [
      ...(wait.wantsService ? [{ of: 'service' } as const] : []),
      ...(questionAt <= now ? lookups(wait, waitFor, now) : []),
    ],
    connect: connect.map(({ address }) => address),
    wakeAt: Math.min(...later, questionAt > now ? questionAt : Number.POSITIVE_INFINITY),
  };
}

/** When the name servers are asked next; Infinity while they are being asked, or never. */
export function nextQuestionAt(wait: Wait, { parent, size }: WaitFor): Instant {
  if (wait.asking || !parent) return Number.POSITIVE_INFINITY;
  if (wait.existsAt === undefined) return wait.notBefore;
  const { at } = nextAddress(wait, size);
  // Somebody is there. Otherwise whether the name still exists, and exists again, tells that there is something new to ask for.
  return refusedSince(wait.candidates) === undefined ? Math.min(at, wait.notBefore) : at;
}

/** The next question about the address, and when it may be asked. */
function nextAddress({ freshness, candidates, addressNotBefore }: Wait, size: number) {
  const since = refusedSince(candidates);
  const key = nextKey(freshness, since !== undefined);
  const trusted =
    since === undefined || key.isPlain ? addressNotBefore : since + Math.max(trustRefusedMs, shareMs(size));
  return { ...key, at: Math.max(key.at, trusted, addressNotBefore) };
}

/** Since when somebody refuses: a pod that is there, whose broker is not yet. */
function refusedSince(candidates: Candidates): Instant | undefined {
  const since = [...ofParent(candidates).values()].flatMap((each) => each.refusedSince ?? []);
  return since.length > 0 ? Math.min(...since) : undefined;
}

function lookups(wait: Wait, { size, endpointSlices }: WaitFor, now: Instant): Lookup[] {
  const { lookup, at, isPlain } = nextAddress(wait, size);
  const exists = wait.existsAt !== undefined && wait.existsAt > now - existenceHoldsMs;
  if (!exists || at > now) return [{ of: 'existence' }];
  const slicesDue = wait.slicesAskedAt === undefined || now - wait.slicesAskedAt > askSlicesAgainMs;
  const asksSlices = endpointSlices && !isPlain && size <= largestListed && slicesDue;
  return [lookup, ...(asksSlices ? [{ of: 'endpoint-slices' } as const] : [])];
}

/** The wait after an event. */
export function after(wait: Wait, event: Event, waitFor: WaitFor, at: Instant, random: number): Wait {
  switch (event.kind) {
    case 'asked':
      if (event.lookup.of === 'service') return { ...wait, wantsService: false, serviceAskedAt: at };
      if (event.lookup.of === 'endpoint-slices') return { ...wait, slicesAskedAt: at };
      return { ...wait, asking: true };
    case 'answered':
      if (event.lookup.of === 'service') return { ...wait, serviceDenied: event.reply?.rcode === 'NXDOMAIN' };
      return afterAnswer(wait, event.lookup, event.reply, waitFor, at, random);
    case 'slices':
      return { ...wait, candidates: given(wait.candidates, event.addresses, true, at, forgetFor(waitFor)) };
    case 'connecting':
      return { ...wait, candidates: tried(wait.candidates, event.address, at) };
    case 'not connected': {
      const { size } = waitFor;
      return {
        ...wait,
        candidates: failed(wait.candidates, event.address, event.seen, { at, size, random }),
      };
    }
    case 'not the parent':
      if (event.whose !== undefined)
        return { ...wait, candidates: isSomebodyElse(wait.candidates, event.address) };
      // Without a reverse zone any pod could pass for the parent: what only the Service's list said is forgotten.
      return { ...wait, candidates: ofParent(wait.candidates), freshness: bar(wait.freshness, 'peers') };
  }
}

function afterAnswer(
  wait: Wait,
  lookup: NameLookup,
  reply: Reply | undefined,
  waitFor: WaitFor,
  at: Instant,
  random: number,
): Wait {
  const pause = pauseMs(wait.attempt, waitFor.size, random);
  const answered: Wait = {
    ...wait,
    asking: false,
    attempt: wait.attempt + 1,
    notBefore: at + pause,
    trouble: undefined,
  };
  const rcode = reply?.rcode ?? 'no answer';
  if (!reply || (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')) {
    const freshness = unanswered(wait.freshness, lookup, at);
    return { ...answered, trouble: rcode, freshness, addressNotBefore: at + pause };
  }
  if (lookup.of !== 'existence') return afterAddress(answered, lookup, reply, waitFor, at, random);
  const freshness = seenTtl(wait.freshness, reply);
  return rcode === 'NOERROR'
    ? afterExists({ ...answered, freshness }, at)
    : afterDenial({ ...answered, freshness }, reply, pause, waitFor, at, random);
}

/** A name that is there again is another pod's: its address is asked for at once. */
function afterExists(wait: Wait, at: Instant): Wait {
  const again = wait.nameDenied
    ? { freshness: { ...wait.freshness, isTruth: false }, addressNotBefore: at }
    : {};
  return { ...wait, ...again, existsAt: at, nameDenied: false, denials: undefined, serviceDenied: false };
}

function afterDenial(
  wait: Wait,
  reply: Reply,
  pause: number,
  { parent, size }: WaitFor,
  at: Instant,
  random: number,
): Wait {
  const denials = denied(wait.denials, reply.keptSeconds, at);
  const until = keptUntil(denials);
  // When it ends, all pods know: they are not to ask all at once.
  const spread = Math.max(250, shareMs(size)) * random;
  const hold = until === undefined ? 0 : Math.min(until - at, longestHoldMs) + spread;
  return {
    ...wait,
    existsAt: undefined,
    nameDenied: true,
    denials,
    notBefore: at + Math.max(pause, hold),
    wantsService: parent?.service !== undefined && isServiceDue(wait, size, at),
  };
}

function afterAddress(
  wait: Wait,
  lookup: NameLookup,
  reply: Reply,
  waitFor: WaitFor,
  at: Instant,
  random: number,
): Wait {
  const addresses = addressesIn(lookup, reply, waitFor);
  const brought = addresses.some((address) => !wait.candidates.has(address));
  const freshness = answeredBy(wait.freshness, lookup, reply, brought, addresses.length === 0, at);
  const share = shareMs(waitFor.size);
  const patience = wait.candidates.size === 0 ? suspectAfterMs : Math.max(suspectNextAfterMs, share);
  const known = freshness.isTruth ? Math.max(spacingMs(freshness), share) : share * (0.75 + random / 2);
  const refused = refusedSince(wait.candidates) === undefined ? 0 : Math.max(resolveRefusedMs, share);
  const addressNotBefore = at + Math.max(brought ? patience : known, refused);
  return {
    ...wait,
    // A name that was denied just now may have ceased to exist: its other keys are not to be spoilt.
    existsAt: reply.rcode === 'NXDOMAIN' && lookup.of === 'address' ? undefined : wait.existsAt,
    notBefore: addresses.length === 0 ? addressNotBefore : Math.max(wait.notBefore, at + patience),
    freshness,
    candidates: given(wait.candidates, addresses, lookup.of !== 'peers', at, forgetFor(waitFor)),
    addressDenied: lookup.of === 'address' ? whyNoAddress(reply) : wait.addressDenied,
    addressNotBefore,
  };
}

/** Whether the Service is there at all is of interest to a person who looks why nothing happens, now and then. */
function isServiceDue({ startedAt, serviceAskedAt }: Wait, size: number, at: Instant): boolean {
  if (serviceAskedAt === undefined) return at - startedAt >= askServiceAfterMs;
  return at - serviceAskedAt > Math.max(15_000, 10 * shareMs(size));
}

function addressesIn(lookup: NameLookup, reply: Reply, { parent }: WaitFor): readonly string[] {
  if (lookup.of !== 'srv') return reply.addresses;
  return reply.additional.flatMap(({ name, address }) =>
    name === parent?.name.toLowerCase() && address.includes(':') === (parent?.family === 6) ? [address] : [],
  );
}

function whyNoAddress({ rcode, addresses }: Reply): Wait['addressDenied'] {
  if (addresses.length > 0) return undefined;
  return rcode === 'NXDOMAIN' ? 'address denied' : 'no address of this family';
}

const forgetFor = ({ size }: WaitFor) => Math.max(forgetMs, 3 * shareMs(size));

/** What stands in the way as far as it is known, nothing at first. */
export function obstacleOf(wait: Wait, now: Instant): Pick<Obstacle, 'waitingFor' | 'seen'> | undefined {
  const connection = outlook(wait.candidates, now);
  if (connection === 'refused') return { waitingFor: 'connection', seen: connection };
  if (wait.trouble !== undefined) return { waitingFor: 'name server', seen: wait.trouble };
  if (wait.nameDenied) {
    const cached = keptUntil(wait.denials) !== undefined;
    const seen = wait.serviceDenied ? 'no such service' : cached ? 'the denial is cached' : 'no such name';
    return { waitingFor: 'name', seen };
  }
  if (connection !== undefined) return { waitingFor: 'connection', seen: connection };
  if (wait.addressDenied !== undefined) return { waitingFor: 'address', seen: wait.addressDenied };
  return undefined;
}
