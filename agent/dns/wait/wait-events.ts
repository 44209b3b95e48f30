/** How events change the state of a wait. Pure. */
import { isIPv6 } from '../../address.ts';
import type { Reply } from '../query/dns-message.ts';
import type { NameLookup } from '../query/lookup.ts';
import { backoffMs, intervalMs, withJitter } from './backoff.ts';
import { answeredBy, bar, seenTtl, spacingMs, unanswered } from './cache-keys.ts';
import {
  addAnswer,
  anotherPod,
  failed,
  ofParent,
  refusedSince,
  suspectAfterMs,
  suspectNextAfterMs,
  tried,
} from './candidates.ts';
import { addNegative, cachedUntil } from './negative-cache.ts';
import type { Instant } from './wait-reason.ts';
import { type Event, forgetMs, type Wait, type WaitFor } from './wait-state.ts';

/** The interval of queries for the address of a pod that refuses. */
const resolveRefusedMs = 800;
/** However long the TTL of a negative answer: the resolver may be restarted, and a query does not prolong the TTL. */
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
      if (event.lookup.of === 'service')
        return { ...wait, isServiceMissing: event.reply?.rcode === 'NXDOMAIN' };
      return afterAnswer(wait, event.lookup, event.reply, waitFor, at, random);
    case 'slices':
      return {
        ...wait,
        candidates: addAnswer(wait.candidates, event.addresses, true, at, forgetMs(waitFor)),
      };
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
        return { ...wait, candidates: anotherPod(wait.candidates, event.address) };
      // Without a reverse zone any pod could pass for the parent: addresses of the Service's list alone are dropped.
      return { ...wait, candidates: ofParent(wait.candidates), cacheKeys: bar(wait.cacheKeys, 'peers') };
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
  const pause = backoffMs(wait.attempt, waitFor.size, random);
  const answered: Wait = {
    ...wait,
    asking: false,
    attempt: wait.attempt + 1,
    notBefore: at + pause,
    trouble: undefined,
  };
  const rcode = reply?.rcode ?? 'no answer';
  if (!reply || (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')) {
    const cacheKeys = unanswered(wait.cacheKeys, lookup, at);
    return { ...answered, trouble: rcode, cacheKeys, addressNotBefore: at + pause };
  }
  if (lookup.of !== 'existence') return afterAddress(answered, lookup, reply, waitFor, at, random);
  const cacheKeys = seenTtl(wait.cacheKeys, reply);
  return rcode === 'NOERROR'
    ? afterExists({ ...answered, cacheKeys }, at)
    : afterNegative({ ...answered, cacheKeys }, reply, pause, waitFor, at, random);
}

/** A name that exists again is another pod's: its address is asked for at once. */
function afterExists(wait: Wait, at: Instant): Wait {
  const again = wait.isNameMissing
    ? { cacheKeys: { ...wait.cacheKeys, isUpToDate: false }, addressNotBefore: at }
    : {};
  return {
    ...wait,
    ...again,
    existsAt: at,
    isNameMissing: false,
    negatives: undefined,
    isServiceMissing: false,
  };
}

function afterNegative(
  wait: Wait,
  reply: Reply,
  pause: number,
  { parent, size }: WaitFor,
  at: Instant,
  random: number,
): Wait {
  const negatives = addNegative(wait.negatives, reply.ttl, at);
  const until = cachedUntil(negatives);
  // It expires for all pods at the same time: a jitter spreads their queries.
  const spread = Math.max(250, intervalMs(size)) * random;
  const hold = until === undefined ? 0 : Math.min(until - at, longestHoldMs) + spread;
  return {
    ...wait,
    existsAt: undefined,
    isNameMissing: true,
    negatives,
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
  const cacheKeys = answeredBy(wait.cacheKeys, lookup, reply, brought, addresses.length === 0, at);
  const interval = intervalMs(waitFor.size);
  const suspectMs = wait.candidates.size === 0 ? suspectAfterMs : Math.max(suspectNextAfterMs, interval);
  const known = cacheKeys.isUpToDate
    ? Math.max(spacingMs(cacheKeys), interval)
    : withJitter(interval, random);
  const refused = refusedSince(wait.candidates) === undefined ? 0 : Math.max(resolveRefusedMs, interval);
  const addressNotBefore = at + Math.max(brought ? suspectMs : known, refused);
  return {
    ...wait,
    // After NXDOMAIN the name may have ceased to exist: its other keys stay unused.
    existsAt: reply.rcode === 'NXDOMAIN' && lookup.of === 'address' ? undefined : wait.existsAt,
    notBefore: addresses.length === 0 ? addressNotBefore : Math.max(wait.notBefore, at + suspectMs),
    cacheKeys,
    candidates: addAnswer(wait.candidates, addresses, lookup.of !== 'peers', at, forgetMs(waitFor)),
    noAddress: lookup.of === 'address' ? whyNoAddress(reply) : wait.noAddress,
    addressNotBefore,
  };
}

/** Whether the Service exists is asked rarely: it is a reason for the log and the status, and no step of the wait. */
function isServiceDue({ startedAt, serviceAskedAt }: Wait, size: number, at: Instant): boolean {
  if (serviceAskedAt === undefined) return at - startedAt >= askServiceAfterMs;
  return at - serviceAskedAt > Math.max(15_000, 10 * intervalMs(size));
}

function addressesIn(lookup: NameLookup, reply: Reply, { parent }: WaitFor): readonly string[] {
  if (lookup.of !== 'srv') return reply.addresses;
  return reply.additional.flatMap(({ name, address }) =>
    name === parent?.name.toLowerCase() && isIPv6(address) === (parent?.family === 6) ? [address] : [],
  );
}

function whyNoAddress({ rcode, addresses }: Reply): Wait['noAddress'] {
  if (addresses.length > 0) return undefined;
  return rcode === 'NXDOMAIN' ? 'negative answer for the address' : 'no address of this family';
}
