/** How a wait for the parent changes with what happens. Pure. */
import { isIPv6 } from '../../address.ts';
import type { Reply } from '../query/dns-message.ts';
import type { NameLookup } from '../query/lookup.ts';
import { pauseMs, shareMs } from './backoff.ts';
import { answeredBy, bar, seenTtl, spacingMs, unanswered } from './cache-keys.ts';
import {
  failed,
  given,
  isSomebodyElse,
  ofParent,
  refusedSince,
  suspectAfterMs,
  suspectNextAfterMs,
  tried,
} from './candidates.ts';
import { denied, keptUntil } from './negative-cache.ts';
import type { Instant } from './wait-reason.ts';
import { type Event, forgetMs, type Wait, type WaitFor } from './wait-state.ts';

/** How far apart the address of a pod that refuses is asked for. */
const resolveRefusedMs = 800;
/** However long a resolver says it will keep a denial: it may be restarted, and a question does not prolong what is kept. */
const longestHoldMs = 10_000;
const askServiceAfterMs = 2000;

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
      return { ...wait, candidates: given(wait.candidates, event.addresses, true, at, forgetMs(waitFor)) };
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
    candidates: given(wait.candidates, addresses, lookup.of !== 'peers', at, forgetMs(waitFor)),
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
    name === parent?.name.toLowerCase() && isIPv6(address) === (parent?.family === 6) ? [address] : [],
  );
}

function whyNoAddress({ rcode, addresses }: Reply): Wait['addressDenied'] {
  if (addresses.length > 0) return undefined;
  return rcode === 'NXDOMAIN' ? 'address denied' : 'no address of this family';
}
