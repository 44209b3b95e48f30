/**
 * Awaits the parent: first its name, then its address, then that the address takes connections. The order matters: asking for the
 * address of a name that does not exist yet makes CoreDNS deny it to every pod for 30 s. What to do when is decided in
 * wait-plan.ts; here it is done.
 */
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../address.ts';
import { instant, longestTimerMs } from '../clock.ts';
import { notOurs } from './candidates.ts';
import { type Connected, connect } from './connect.ts';
import { type Lookup, type ParentName, questionFor, serviceOf, throwAwayTypes } from './lookup.ts';
import { plainName, type Question, type Reply, reverseName } from './message.ts';
import type { Instant, Obstacle } from './obstacle.ts';
import { createReporter } from './report.ts';
import { createResolver } from './resolver.ts';
import { beginWait, type Event, type WaitFor } from './wait.ts';
import { after } from './wait-events.ts';
import { nextMoves } from './wait-plan.ts';

export interface AwaitOptions {
  readonly nameservers: readonly HostPort[];
  /** The family of this pod's own address: its peers have it too. */
  readonly family: 4 | 6;
  /** Pods of the instance, which share what the name servers can bear; 1 if not given. */
  readonly size?: number;
  /** Of this pod: it tells the pods' shares apart. */
  readonly rank?: number;
  /** Where the parent was before it went: connected to again, but an answer that only names it is not waited for. */
  readonly known?: readonly string[] | undefined;
  /** Where others accept connections that are not of this instance: as good as dead addresses. */
  readonly strangers?: readonly string[] | undefined;
  /** Ends the wait; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Told what stands in the way whenever something has been learnt, also when it is the same as before (see isSame). */
  readonly onObstacle?: (obstacle: Obstacle) => void;
  /** The addresses that the API server knows of a pod; undefined where it cannot be asked, and it is not asked again. */
  readonly endpointSlices?:
    | ((pod: ParentName, signal: AbortSignal) => Promise<readonly string[] | undefined>)
    | undefined;
  /** The world, for a test to bend. */
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

/** Where the parent is, and what it took to find it. */
export interface Found extends HostPort {
  readonly questions: number;
  readonly connections: number;
  readonly waitedMs: number;
}

/** Waits until `target` accepts a TCP connection. Returns the address (never a name) and port that did. */
export async function awaitParent(target: HostPort, options: AwaitOptions): Promise<Found> {
  const { signal, random = Math.random, clock = systemClock } = options;
  signal.throwIfAborted();
  const network = options.network ?? { ask: createResolver(options.nameservers).ask, connect };
  const parent = parentName(target.host, options.family);
  let waitFor: WaitFor = {
    parent,
    size: options.size ?? 1,
    rank: options.rank ?? 0,
    endpointSlices: options.endpointSlices !== undefined,
  };
  const throwAway = throwAwayTypes(waitFor.rank, waitFor.size, random());
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
      const question = questionFor(lookup, parent as ParentName, throwAway);
      return { kind: 'answered', lookup, reply: await ask(question) };
    }
    const addresses = await options.endpointSlices?.(parent as ParentName, until);
    if (!addresses) waitFor = { ...waitFor, endpointSlices: false };
    return { kind: 'slices', addresses: addresses ?? [] };
  };
  const reach = async (address: string, isParent: boolean): Promise<Event> => {
    tally.connections++;
    const seen = options.strangers?.includes(address)
      ? notOurs
      : await network.connect(address, target.port, until);
    if (seen !== 'accepted') return { kind: 'not connected', address, seen };
    const whose = isParent ? [] : (await ask({ name: reverseName(address), type: 'PTR' }))?.pointers;
    if (isParent || whose?.includes(plainName(target.host))) found ??= address;
    return { kind: 'not the parent', address, whose: whose?.[0] };
  };

  const startedAt = clock.now();
  let wait = beginWait(waitFor, parent ? (options.known ?? []) : [target.host], startedAt, random());
  const take = (event: Event) => {
    wait = after(wait, event, waitFor, clock.now(), random());
  };
  const start = (beginning: Event, work: Promise<Event>) => {
    take(beginning);
    // What fails after the end fails because of it.
    work.then(inbox.put, (error: unknown) => over.signal.aborted || inbox.fail(error));
  };
  const report = createReporter(options.onObstacle);
  try {
    for (;;) {
      const turn = clock.now();
      const moves = nextMoves(wait, waitFor, turn);
      for (const lookup of moves.ask) start({ kind: 'asked', lookup }, look(lookup));
      for (const address of moves.connect) {
        const isParent = wait.candidates.get(address)?.isParent === true;
        start({ kind: 'connecting', address }, reach(address, isParent));
      }
      // By the same reading as before: what has fallen due since then was not begun above, and must not be slept through.
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
    over.abort();
    inbox.close();
  }
}

function parentName(name: string, family: 4 | 6): ParentName | undefined {
  if (isIP(name)) return undefined;
  const service = serviceOf(name);
  return { name, family, ...(service !== undefined && { service }) };
}

/** What has happened since it was looked at last. */
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
