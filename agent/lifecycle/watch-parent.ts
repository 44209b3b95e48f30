/**
 * Watches over a follower's parent while the follower's broker runs. libzmq never tells that a parent has gone, it reconnects for ever to
 * the address it was given: so the agents keep a link to each other, and when it breaks, the parent is looked for as at the start.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../address.ts';
import { isAfter } from '../flux/services/state-machine.ts';
import { type Observations, parentSilentSince, stateOf } from '../health/observations.ts';
import { instant } from '../instant.ts';
import type { Log } from '../log.ts';
import { type LinkOptions, type NoLink, openParentLink, type ParentLink } from '../parent-link/child.ts';
import type { Search } from './find-parent.ts';

/** Finds the parent anew. See findParent. */
export type FindParent = (
  signal: AbortSignal,
  seen?: Pick<Search, 'known' | 'strangers'>,
) => Promise<HostPort>;

export interface ParentWatch extends LinkOptions {
  /** Where the parent was found to listen before the broker was started. */
  readonly address: HostPort;
  readonly observations: Observations;
  /** The broker's life. */
  readonly signal: AbortSignal;
  readonly find: FindParent;
  readonly log: Log;
}

/** Pauses between attempts. */
const retryMs = { least: 50, most: 1000, growth: 1.5 };
/** A link that breaks sooner was not worth opening: the next one waits. */
const briefMs = 5000;
/** A broker that has not joined by then may have been sent to the wrong place. */
const joinWithinMs = 15_000;

/**
 * Resolves to the address of another broker that has taken the parent's place, which ours can only join by starting anew; to
 * undefined when `signal` ends the watch.
 */
export async function watchParent(watch: ParentWatch): Promise<HostPort | undefined> {
  const { address, signal, log } = watch;
  let incarnation: string | undefined;
  let pauseMs = 0;
  while (!signal.aborted) {
    const seen = await contact(watch, incarnation !== undefined);
    if (!seen) return undefined;
    if (seen.elsewhere) return seen.elsewhere;
    const { link } = seen;
    if (incarnation !== undefined && link.incarnation !== incarnation) {
      link.release();
      return address;
    }
    if (incarnation !== undefined) log('info', 'The parent is there again');
    incarnation = link.incarnation;
    const openedAt = instant();
    await link.broken;
    if (signal.aborted) return undefined;
    log('warn', 'The parent link has broken: looking for the parent', { parent: address.host });
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = instant() - openedAt > briefMs ? 0 : longer(pauseMs);
  }
  return undefined;
}

const longer = (pauseMs: number): number =>
  Math.min(retryMs.most, Math.max(retryMs.least, pauseMs * retryMs.growth));

type Contact = { readonly link: ParentLink; readonly elsewhere?: never } | { readonly elsewhere: HostPort };

/**
 * A link to the parent where it was, or the address at which its name is found now: whichever comes first. A parent that was there is
 * looked for at once, one whose agent has never answered only when there is reason to. Undefined when the watch ends.
 */
async function contact(watch: ParentWatch, wasThere: boolean): Promise<Contact | undefined> {
  const { address, signal, find, log } = watch;
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const lost = Promise.withResolvers<void>();
  if (wasThere) lost.resolve();
  let isForeign = false;

  const again = async (): Promise<Contact | undefined> => {
    const link = await tryLink(watch, until);
    if (typeof link !== 'string') return { link };
    // Beyond `join` the parent has proved with the certificate who it is, whatever else serves HTTP beside it.
    if (link === 'not the parent' && isJoining(watch) && !isForeign && !until.aborted) {
      isForeign = true;
      log('warn', 'The broker there is not of this instance: looking for the parent', {
        parent: address.host,
      });
    }
    if (link === 'unreachable' || isForeign || isOverdue(watch)) lost.resolve();
    return undefined;
  };
  // One that listens where it was tells itself whether it is the same, or it is in the middle of its end.
  const elsewhere = async (): Promise<Contact | undefined> => {
    const was = [address.host];
    // Where no parent has answered and the broker does not join, what accepts connections need not be the parent.
    const doubtful = isForeign || (!wasThere && isJoining(watch));
    const found = await find(until, doubtful ? { strangers: was } : { known: was }).catch(() => undefined);
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
  for (let pauseMs = retryMs.least; !until.aborted; pauseMs = longer(pauseMs)) {
    const result = await attempt();
    if (result) return result;
    await delay(pauseMs, undefined, { signal: until }).catch(() => undefined);
  }
  return undefined;
}

async function tryLink(watch: ParentWatch, until: AbortSignal): Promise<ParentLink | NoLink> {
  const { http } = watch.observations.configuration;
  if (http === 'off') return 'unavailable';
  // The attempt ends with `until`, an open link with the broker's life.
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  until.addEventListener('abort', abort, { once: true });
  const signal = AbortSignal.any([watch.signal, attempt.signal]);
  try {
    return await openParentLink({ host: watch.address.host, port: http.port }, { ...watch, signal });
  } finally {
    until.removeEventListener('abort', abort);
  }
}
