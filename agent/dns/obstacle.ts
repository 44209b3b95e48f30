/** What stands between this pod and its parent, as a value that a log line or a status page can show. */

import { type Instant, instant } from '../clock.ts';

export type { Instant } from '../clock.ts';

export interface Obstacle {
  readonly waitingFor: 'name server' | 'name' | 'address' | 'connection';
  /** In words; for a name server that cannot help, its code. */
  readonly seen: Seen;
  /** Since when this has been so. */
  readonly since: Instant;
  /** When the name servers are asked next, if that is known yet. */
  readonly asksNext?: Instant;
  /** Where a connection was tried, and what came of it. */
  readonly addresses: readonly { readonly address: string; readonly seen: string }[];
  /** Questions asked and connections tried since the wait began. */
  readonly questions: number;
  readonly connections: number;
}

export type Seen =
  /** No name server answered. */
  | 'no answer'
  /** The parent's name does not exist; nor does its Service's, which exists with its first pod. */
  | 'no such name'
  | 'no such service, or it publishes no pod'
  /** The resolver keeps the denial of the whole name (RFC 8020): nothing else can be learnt until it forgets it. */
  | 'the denial is cached'
  /** The name exists; some cache denies its address, or it has none of this pod's family. */
  | 'address denied'
  | 'no address of this family'
  /** The pod is there, its broker does not listen yet. */
  | 'refused'
  /** SYNs are swallowed: the address is a dead pod's out of a cache, or the pod's network is not up. */
  | 'stale address'
  /** SERVFAIL, REFUSED, ... */
  | (string & {});

/** Whether a person would call it the same obstacle as before. */
export const isSame = (one: Obstacle, other: Obstacle | undefined): boolean =>
  one.waitingFor === other?.waitingFor && one.seen === other.seen;

/** `waiting for its name: no such service, or it publishes no pod` */
export const describeObstacle = ({ waitingFor, seen }: Obstacle): string =>
  `waiting for its ${waitingFor}: ${seen}`;

/** What a log is told: a new obstacle at once, one that stays once a minute. */
const remindMs = 60_000;

type Log = (level: 'info', message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Writes obstacles to the log and keeps the last. Times are written as the log writes its own. */
export function createObstacleLog(parent: string, log: Log) {
  let last: Obstacle | undefined;
  let toldAt: Instant = 0;
  return {
    last: () => last,
    met: (obstacle: Obstacle): void => {
      const now = instant();
      const isNew = !isSame(obstacle, last);
      last = obstacle;
      if (!isNew && now - toldAt < remindMs) return;
      toldAt = now;
      const { since, asksNext, ...rest } = obstacle;
      log('info', `Waiting for the parent's ${obstacle.waitingFor}: ${obstacle.seen}`, {
        parent,
        ...rest,
        since: new Date(since).toISOString(),
        ...(asksNext !== undefined && { asksNext: new Date(asksNext).toISOString() }),
      });
    },
  };
}
