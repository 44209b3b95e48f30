/**
 * Watches over a follower's parent while the follower's broker runs. libzmq never tells that a parent has gone, it reconnects for ever to
 * the address it was given: so the agents hold on to each other, and when a lifeline breaks, the parent is looked for as at the start.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../config/kinds.ts';
import { isAfter } from '../flux/services/state-machine.ts';
import { type Observations, parentSilentSince, stateOf } from '../health/observations.ts';
import { instant } from '../instant.ts';
import { type Lifeline, type NoLifeline, openLifeline } from '../lifeline/child.ts';
import type { LifelineMessage, Seal } from '../lifeline/message.ts';
import type { Log } from '../log.ts';
import type { Search } from './find-parent.ts';

/** Finds the parent anew. See findParent. */
export type FindParent = (
  signal: AbortSignal,
  seen?: Pick<Search, 'known' | 'strangers'>,
) => Promise<HostPort>;

export interface ParentWatch {
  /** Where the parent was found to listen before the broker was started. */
  readonly address: HostPort;
  readonly observations: Observations;
  readonly seal: Seal;
  /** The broker's life. */
  readonly signal: AbortSignal;
  readonly find: FindParent;
  /** What the parent announces. */
  readonly onMessage: (message: LifelineMessage) => void;
  readonly log: Log;
}

/** Pauses between attempts. */
const retryMs = { least: 50, most: 1000, growth: 1.5 };
/** A broker that has not joined by then may have been sent to the wrong place. */
const joinWithinMs = 15_000;

/**
 * Resolves to the address of another broker that has taken the parent's place, which ours can only join by starting anew; to
 * undefined when `signal` ends the watch.
 */
export async function watchParent(watch: ParentWatch): Promise<HostPort | undefined> {
  const { address, signal, log } = watch;
  let incarnation: string | undefined;
  while (!signal.aborted) {
    const seen = await contact(watch, incarnation !== undefined);
    if (!seen) return undefined;
    if (seen.elsewhere) return seen.elsewhere;
    const { line } = seen;
    if (incarnation !== undefined && line.incarnation !== incarnation) {
      line.release();
      return address;
    }
    if (incarnation !== undefined) log('info', 'The parent is there again');
    incarnation = line.incarnation;
    signal.addEventListener('abort', line.release, { once: true });
    await line.broken;
    signal.removeEventListener('abort', line.release);
    if (signal.aborted) return undefined;
    log('warn', 'The lifeline to the parent has broken: looking for the parent', { parent: address.host });
  }
  return undefined;
}

type Contact = { readonly line: Lifeline; readonly elsewhere?: never } | { readonly elsewhere: HostPort };

/**
 * A lifeline to the parent where it was, or the address at which its name is found now: whichever comes first. A parent that was there is
 * looked for at once, one whose agent has never answered only when there is reason to. Undefined when the watch ends.
 */
async function contact(watch: ParentWatch, wasThere: boolean): Promise<Contact | undefined> {
  const { address, signal, find, log } = watch;
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const lost = Promise.withResolvers<void>();
  if (wasThere) lost.resolve();
  let isStranger = false;

  const again = async (): Promise<Contact | undefined> => {
    const line = await tryLifeline(watch, until);
    if (typeof line !== 'string') return { line };
    // Beyond `join` the parent has proved with the certificate who it is, whatever else serves HTTP beside it.
    if (line === 'a stranger' && isJoining(watch) && !isStranger && !until.aborted) {
      isStranger = true;
      log('warn', 'The broker there is not of this instance: looking for the parent', {
        parent: address.host,
      });
    }
    if (line === 'nobody' || isStranger || isOverdue(watch)) lost.resolve();
    return undefined;
  };
  // One that listens where it was tells itself whether it is the same, or it is in the middle of its end.
  const elsewhere = async (): Promise<Contact | undefined> => {
    const was = [address.host];
    const found = await find(until, isStranger ? { strangers: was } : { known: was }).catch(() => undefined);
    return found && found.host !== address.host ? { elsewhere: found } : undefined;
  };
  try {
    return await Promise.race([
      repeatedly(again, until),
      lost.promise.then(() => repeatedly(elsewhere, until)),
    ]);
  } finally {
    over.abort();
  }
}

function isJoining({ observations: { broker } }: ParentWatch): boolean {
  const state = stateOf(broker);
  return state === undefined || !isAfter(state, 'join');
}

/** Whether the broker has reason to hear from its parent by now and does not. */
function isOverdue({ observations: { broker } }: ParentWatch): boolean {
  const now = instant();
  if (parentSilentSince(broker, now) !== undefined) return true;
  const joins = broker?.states.at(-1);
  return joins?.state === 'join' && now - joins.since > joinWithinMs;
}

/** Tries until something comes of it, with growing pauses; undefined when `until` ends it. */
async function repeatedly<Result>(
  attempt: () => Promise<Result | undefined>,
  until: AbortSignal,
): Promise<Result | undefined> {
  for (
    let pauseMs = retryMs.least;
    !until.aborted;
    pauseMs = Math.min(retryMs.most, pauseMs * retryMs.growth)
  ) {
    const result = await attempt();
    if (result) return result;
    await delay(pauseMs, undefined, { signal: until }).catch(() => undefined);
  }
  return undefined;
}

async function tryLifeline(
  { address, observations, seal, onMessage }: ParentWatch,
  until: AbortSignal,
): Promise<Lifeline | NoLifeline> {
  const { http } = observations.configuration;
  if (http === 'off') return 'not yet';
  // A lifeline is held beyond the attempt: it ends with the broker, not with the search.
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  until.addEventListener('abort', abort, { once: true });
  const options = { seal, signal: attempt.signal, onMessage };
  try {
    return await openLifeline({ host: address.host, port: http.port }, options);
  } finally {
    until.removeEventListener('abort', abort);
  }
}
