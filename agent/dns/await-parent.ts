/**
 * Awaits the parent: first its name, then its address, then a TCP connection to that address. The order matters: a query for the address
 * of a name that does not exist yet gives every pod a negative answer out of CoreDNS's cache for 30 s. wait/wait-plan.ts decides; this file
 * executes.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../address.ts';
import { addressFamily } from '../address-family.ts';
import { instant, longestTimerMs } from '../clock.ts';
import { type Connected, connect } from './connect.ts';
import { plainName, type Question, type Reply, reverseName } from './query/dns-message.ts';
import { type Lookup, type ParentName, questionFor, serviceOf } from './query/lookup.ts';
import { createResolver } from './query/resolver.ts';
import { unassignedTypes } from './query/unassigned-type.ts';
import type { KeyMemory } from './wait/cache-keys.ts';
import { foreignInstance } from './wait/candidates.ts';
import { createReasonReporter } from './wait/report-reason.ts';
import { after } from './wait/wait-events.ts';
import { nextMoves } from './wait/wait-plan.ts';
import type { Instant, WaitReason } from './wait/wait-reason.ts';
import { beginWait, type Event, type WaitFor } from './wait/wait-state.ts';

export interface AwaitOptions {
  readonly nameservers: readonly HostPort[];
  /** The family of this pod's own address: its peers have it too. */
  readonly family: 4 | 6;
  /** Pods of the instance, which share one rate limit; 1 if not given. */
  readonly size?: number;
  /** Of this pod: each rank has its own turn. */
  readonly rank?: number;
  /** The addresses of the parent that was lost: tried again at once, beside the queries. */
  readonly known?: readonly string[] | undefined;
  /** Addresses at which a foreign instance accepts connections: as useless as dead ones. */
  readonly foreign?: readonly string[] | undefined;
  /** Of the pod, for all its waits: none asks again what is cached since the one before. */
  readonly keyMemory?: KeyMemory;
  /** Ends the wait; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Called with the wait reason after every event, also where it is the same as before (see isSame). */
  readonly onReason?: (reason: WaitReason) => void;
  /** The addresses of a pod from the API server; undefined where that cannot be asked, and then it is not asked again. */
  readonly endpointSlices?:
    | ((pod: ParentName, signal: AbortSignal) => Promise<readonly string[] | undefined>)
    | undefined;
  /** The world, which tests replace. */
  readonly network?: Network;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface Network {
  readonly ask: (question: Question, signal: AbortSignal) => Promise<Reply | undefined>;
  readonly connect: (address: string, port: number, signal: AbortSignal) => Promise<Connected>;
}

export interface Clock {
  readonly now: () => Instant;
  /** Returns after `ms`, or at once when the signal ends it. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The parent's address, and the cost of finding it. */
export interface Found extends HostPort {
  readonly questions: number;
  readonly connections: number;
  readonly waitedMs: number;
}

/** Waits until `target` accepts a TCP connection. Returns the address (never a name) and port that did. */
export async function awaitParent(target: HostPort, options: AwaitOptions): Promise<Found> {
  const { signal, random = Math.random, clock = systemClock, keyMemory = {} } = options;
  signal.throwIfAborted();
  const network = options.network ?? { ask: createResolver(options.nameservers).ask, connect };
  const parent = parentName(target.host, options.family);
  let waitFor: WaitFor = {
    parent,
    size: options.size ?? 1,
    rank: options.rank ?? 0,
    endpointSlices: options.endpointSlices !== undefined,
  };
  const unassignedType = unassignedTypes(waitFor.rank, waitFor.size, random());
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const inbox = createInbox(signal);
  const tally = { questions: 0, connections: 0 };
  let found: string | undefined;

  const ask = (question: Question) => {
    tally.questions++;
    return network.ask(question, until);
  };
  const look = async (lookup: Lookup): Promise<Event> => {
    if (lookup.of !== 'endpoint-slices') {
      const question = questionFor(lookup, parent as ParentName, unassignedType);
      return { kind: 'answered', lookup, reply: await ask(question) };
    }
    const addresses = await options.endpointSlices?.(parent as ParentName, until);
    if (!addresses) waitFor = { ...waitFor, endpointSlices: false };
    return { kind: 'slices', addresses: addresses ?? [] };
  };
  const reach = async (address: string, isParent: boolean): Promise<Event> => {
    tally.connections++;
    const seen = options.foreign?.includes(address)
      ? foreignInstance
      : await network.connect(address, target.port, until);
    if (seen !== 'accepted') return { kind: 'not connected', address, seen };
    const whose = isParent ? [] : (await ask({ name: reverseName(address), type: 'PTR' }))?.pointers;
    if (isParent || whose?.includes(plainName(target.host))) found ??= address;
    return { kind: 'not the parent', address, whose: whose?.[0] };
  };

  const startedAt = clock.now();
  const addresses = parent ? (options.known ?? []) : [target.host];
  let wait = beginWait(waitFor, addresses, startedAt, random(), keyMemory.cacheKeys);
  const take = (event: Event) => {
    wait = after(wait, event, waitFor, clock.now(), random());
  };
  const start = (beginning: Event, work: Promise<Event>) => {
    take(beginning);
    // A failure after the end is its consequence.
    work.then(inbox.put, (error: unknown) => over.signal.aborted || inbox.fail(error));
  };
  const report = createReasonReporter(options.onReason);
  try {
    for (;;) {
      const turn = clock.now();
      const moves = nextMoves(wait, waitFor, turn);
      for (const lookup of moves.ask) start({ kind: 'asked', lookup }, look(lookup));
      for (const address of moves.connect) {
        const isParent = wait.candidates.get(address)?.isParent === true;
        start({ kind: 'connecting', address }, reach(address, isParent));
      }
      // By the same clock reading as above: a move that has become due since then must not be slept through.
      const events = await inbox.take(nextMoves(wait, waitFor, turn).wakeAt, clock);
      signal.throwIfAborted();
      for (const event of events) take(event);
      const now = clock.now();
      if (found !== undefined)
        return { host: found, port: target.port, ...tally, waitedMs: Math.round(now - startedAt) };
      report(wait, waitFor, tally, now);
      signal.throwIfAborted();
    }
  } finally {
    keyMemory.cacheKeys = wait.cacheKeys;
    over.abort();
    inbox.close();
  }
}

function parentName(name: string, family: 4 | 6): ParentName | undefined {
  if (addressFamily(name)) return undefined;
  const service = serviceOf(name);
  return { name, family, ...(service !== undefined && { service }) };
}

/** Events that have not been taken yet. */
function createInbox(signal: AbortSignal) {
  let events: Event[] = [];
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    put: (event: Event) => {
      events.push(event);
      wake();
    },
    fail: (error: unknown) => {
      failure = { error };
      wake();
    },
    /** Waits for the first event, but no longer than until `wakeAt`. */
    take: async (wakeAt: Instant, clock: Clock): Promise<Event[]> => {
      const awake = new AbortController();
      wake = () => awake.abort();
      if (events.length === 0 && !failure && !signal.aborted)
        await clock.sleep(wakeAt - clock.now(), awake.signal);
      if (failure) throw failure.error;
      const taken = events;
      events = [];
      return taken;
    },
    close: () => signal.removeEventListener('abort', onAbort),
  };
}

const systemClock: Clock = {
  now: instant,
  sleep: (ms, signal) =>
    delay(Math.min(Math.max(ms, 0), longestTimerMs), undefined, { signal }).catch(() => undefined),
};
