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
import { freshness, type Lookup, largestListed, type NameLookup, type ParentName } from './lookup.ts';
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
  readonly notBefore: Instant;
  readonly answeredAt: Instant;
  /** Questions answered, for the growing pauses; and a number from 0 to 1 that keeps pods out of step. */
  readonly attempt: number;
  readonly jitter: number;
  /** Why the last question was no help: `no answer`, or the server's code. */
  readonly trouble: string | undefined;
  /** When the name was last seen to exist, and whether that was the last answer: then its address is asked at once. */
  readonly existsAt: Instant | undefined;
  readonly justExists: boolean;
  readonly nameDenied: boolean;
  readonly denials: Denials | undefined;
  readonly addressDenied: 'address denied' | 'no address of this family' | undefined;
  /** Whether to ask for the Service's name, when that was done last, and whether it was denied. */
  readonly wantsService: boolean;
  readonly serviceAskedAt: Instant | undefined;
  readonly serviceDenied: boolean;
  readonly slicesAskedAt: Instant | undefined;
  /** The next of the list of `freshness`, and whether all of them have been asked once: then there is no hurry any more. */
  readonly rung: number;
  readonly climbed: boolean;
  /** Kinds of questions that have turned out to be no use here. */
  readonly barred: ReadonlySet<'srv' | 'peers' | 'dnssecOk'>;
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
/** A living pod whose broker is about to listen is asked for its address again after this. */
const resolveRefusedMs = 500;
/** One that refuses for longer may be somebody else who got a dead pod's address. */
const trustRefusedMs = 1000;
/** However long a resolver says it will keep a denial: it may be restarted, and a question does not prolong what is kept. */
const longestHoldMs = 10_000;
const askServiceAfterMs = 2000;
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
    answeredAt: at,
    attempt: 0,
    jitter: random,
    trouble: undefined,
    existsAt: undefined,
    justExists: false,
    nameDenied: false,
    denials: undefined,
    addressDenied: undefined,
    wantsService: false,
    serviceAskedAt: undefined,
    serviceDenied: false,
    slicesAskedAt: undefined,
    rung: 0,
    climbed: false,
    barred: new Set(size > largestListed || !parent?.service ? ['peers'] : []),
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
  if (wait.justExists || !lives(wait.candidates)) return wait.notBefore;
  const pause = Math.max(resolveRefusedMs, pauseMs(wait.attempt, size, wait.jitter));
  return Math.max(wait.notBefore, wait.answeredAt + pause);
}

/** Whether somebody refused: a pod that is there, whose broker is not yet. */
const lives = (candidates: Candidates): boolean =>
  [...ofParent(candidates).values()].some(({ refusedSince }) => refusedSince !== undefined);

function lookups(wait: Wait, { size, endpointSlices }: WaitFor, now: Instant): Lookup[] {
  if (wait.existsAt === undefined || wait.existsAt <= now - existenceHoldsMs) return [{ of: 'existence' }];
  const rung = rungFor(wait, now);
  const slicesDue = wait.slicesAskedAt === undefined || now - wait.slicesAskedAt > 5000;
  const asksSlices = endpointSlices && rung > 0 && size <= largestListed && slicesDue;
  return [freshness[rung] ?? { of: 'address' }, ...(asksSlices ? [{ of: 'endpoint-slices' } as const] : [])];
}

/** Which of the list of `freshness` to ask now. */
function rungFor({ candidates, rung, barred }: Wait, now: Instant): number {
  const refusedSince = [...ofParent(candidates).values()].flatMap((each) => each.refusedSince ?? []);
  // A pod that lives is most likely the right one: its answers are not to be spent.
  if (refusedSince.some((since) => since > now - trustRefusedMs)) return 0;
  const isOpen = (index: number) => {
    const lookup = freshness[index];
    if (!lookup || (lookup.dnssecOk && barred.has('dnssecOk'))) return false;
    if (refusedSince.length > 0) return lookup.of === 'address';
    return (lookup.of !== 'srv' && lookup.of !== 'peers') || !barred.has(lookup.of);
  };
  const order = freshness.map((_, step) => (rung + step) % freshness.length);
  return order.find(isOpen) ?? 0;
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
      return { ...wait, candidates: ofParent(wait.candidates), barred: new Set([...wait.barred, 'peers']) };
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
  const { size } = waitFor;
  const attempt = wait.attempt + 1;
  const pause = pauseMs(wait.attempt, size, random);
  const answered: Wait = {
    ...wait,
    asking: false,
    answeredAt: at,
    attempt,
    jitter: random,
    notBefore: at + pause,
    trouble: undefined,
    justExists: false,
  };
  const rcode = reply?.rcode ?? 'no answer';
  if (!reply || (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN'))
    // Firewalls drop what they do not know: a question with EDNS that got lost is not asked for ever.
    return {
      ...answered,
      trouble: rcode,
      rung: lookup.of === 'existence' ? wait.rung : rungAfter(wait, lookup, true),
    };
  if (lookup.of === 'existence') {
    if (rcode === 'NOERROR')
      return {
        ...answered,
        existsAt: at,
        justExists: true,
        nameDenied: false,
        denials: undefined,
        serviceDenied: false,
        notBefore: at,
      };
    const denials = denied(wait.denials, reply.denialSeconds, at);
    const until = keptUntil(denials);
    // When it ends, all pods know: they are not to ask all at once.
    const spread = Math.max(250, shareMs(size)) * random;
    const hold = until === undefined ? 0 : Math.min(until - at, longestHoldMs) + spread;
    return {
      ...answered,
      existsAt: undefined,
      nameDenied: true,
      denials,
      notBefore: at + Math.max(pause, hold),
      wantsService: waitFor.parent?.service !== undefined && isServiceDue(wait, size, at),
    };
  }

  const addresses = addressesIn(lookup, reply, waitFor);
  const candidates = given(wait.candidates, addresses, lookup.of !== 'peers', at, forgetFor(waitFor));
  const brought = addresses.some((address) => !wait.candidates.has(address));
  const rung = rungAfter(wait, lookup, false);
  const climbed = wait.climbed || rung < wait.rung || rung >= freshness.length;
  const barred = new Set(wait.barred);
  if (reply.dnssecOkRefused) barred.add('dnssecOk');
  // NODATA: the Service has no ports (plugin.SRV of CoreDNS leaves out endpoints without).
  if (lookup.of === 'srv' && rcode === 'NOERROR' && addresses.length === 0) barred.add('srv');
  const patience = wait.candidates.size === 0 ? suspectAfterMs : Math.max(suspectNextAfterMs, shareMs(size));
  const soon = brought ? patience : shareMs(size) * (0.75 + random / 2);
  return {
    ...answered,
    rung,
    climbed,
    barred,
    candidates,
    addressDenied: lookup.of === 'address' ? whyNoAddress(reply) : wait.addressDenied,
    notBefore: at + (climbed ? Math.max(resolveRefusedMs, pause) : soon),
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

/** The place after the one that was asked. The plain question is asked again when its answer got lost: it is the cheapest. */
function rungAfter({ rung }: Wait, lookup: NameLookup, lost: boolean): number {
  const asked = (freshness as readonly Lookup[]).indexOf(lookup);
  return asked < 0 || (lost && asked === 0) ? rung : asked + 1;
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
