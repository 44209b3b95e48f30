/**
 * Watches over a follower's parent while the follower's broker runs. libzmq never tells that a parent has gone, it reconnects for ever to
 * the address it was given: so the agents hold on to each other, and when a lifeline breaks, the parent is looked for as at the start.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../config/kinds.ts';
import { type Observations, parentSilentSince } from '../health/observations.ts';
import { instant } from '../instant.ts';
import { type Lifeline, openLifeline } from '../lifeline/child.ts';
import type { LifelineMessage, Seal } from '../lifeline/message.ts';
import type { Log } from '../log.ts';

export interface ParentWatch {
  /** Where the parent was found to listen before the broker was started. */
  readonly address: HostPort;
  readonly observations: Observations;
  readonly seal: Seal;
  /** The broker's life. */
  readonly signal: AbortSignal;
  /** Finds the parent anew; see findParent. */
  readonly find: (signal: AbortSignal) => Promise<HostPort>;
  /** What the parent announces. */
  readonly onMessage: (message: LifelineMessage) => void;
  readonly log: Log;
}

/** Pauses between attempts at a lifeline. */
const retryMs = { least: 50, most: 1000 };

/**
 * Resolves to the address of another broker that has taken the parent's place, which ours can only join by starting anew; to
 * undefined when `signal` ends the watch.
 */
export async function watchParent(watch: ParentWatch): Promise<HostPort | undefined> {
  const { observations, signal, find, log } = watch;
  const port = agentPort(observations);
  let address = watch.address;
  let incarnation: string | undefined;
  let pauseMs = retryMs.least;
  let search: Promise<void> | undefined;
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);

  try {
    while (!signal.aborted) {
      const line =
        port === undefined ? undefined : await tryLifeline(watch, { host: address.host, port }, until);
      if (line) {
        if (incarnation !== undefined && line.incarnation !== incarnation) {
          line.release();
          return address;
        }
        if (pauseMs > retryMs.least) log('info', 'The parent is there again');
        incarnation = line.incarnation;
        pauseMs = retryMs.least;
        await line.broken;
        if (signal.aborted) return undefined;
        log('warn', 'The lifeline to the parent has broken: looking for the parent', {
          parent: address.host,
        });
        continue;
      }
      const wasThere =
        incarnation !== undefined || parentSilentSince(observations.broker, instant()) !== undefined;
      if (wasThere) {
        if (search === undefined)
          search = find(until)
            .then((found) => {
              search = undefined;
              if (found.host !== address.host) address = found;
            })
            .catch(() => undefined);
        if (moved(address, watch.address) && incarnation === undefined) return address;
      }
      await delay(pauseMs, undefined, { signal: until }).catch(() => undefined);
      pauseMs = Math.min(retryMs.most, pauseMs * 2);
    }
    return undefined;
  } finally {
    over.abort();
  }
}

const moved = (one: HostPort, other: HostPort): boolean => one.host !== other.host;

/** All pods of an instance serve their agents at the same port; undefined where it is switched off. */
const agentPort = ({ configuration: { http } }: Observations): number | undefined =>
  http === 'off' ? undefined : http.port;

async function tryLifeline(
  { seal, onMessage }: ParentWatch,
  where: HostPort,
  signal: AbortSignal,
): Promise<Lifeline | undefined> {
  try {
    return await openLifeline(where, { seal, signal, onMessage });
  } catch {
    return undefined; // its agent does not serve yet, or no more
  }
}
