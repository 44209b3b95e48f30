/** The reason why this pod waits for its parent, as a value for the log and the status. */

import { type Instant, instant } from '../../clock.ts';

export type { Instant } from '../../clock.ts';

export interface WaitReason {
  readonly waitingFor: 'name server' | 'name' | 'address' | 'connection';
  /** In words; of a name server's error, its code. */
  readonly seen: Seen;
  /** Since when this has been so. */
  readonly since: Instant;
  /** When the name servers are asked next, where that is known. */
  readonly asksNext?: Instant;
  /** The addresses that were tried, and the outcome of each. */
  readonly addresses: readonly { readonly address: string; readonly seen: string }[];
  /** Queries and connection attempts since the wait began. */
  readonly questions: number;
  readonly connections: number;
}

export type Seen =
  /** No name server answered. */
  | 'no answer'
  /** The parent's name does not exist; the Service's name exists with its first pod. */
  | 'no such name'
  | 'no such service, or it publishes no pod'
  /** The resolver has a negative answer for the whole name in its cache (RFC 8020), until its TTL has passed. */
  | 'the negative answer is cached'
  /** The name exists; a cache has a negative answer for its address, or it has no address of this pod's family. */
  | 'negative answer for the address'
  | 'no address of this family'
  /** The pod runs, its broker does not listen yet. */
  | 'refused'
  /** SYNs have no reply: a dead pod's address out of a cache, a pod whose network is not up, or a policy that blocks the port. */
  | 'no reply from the address'
  /** SERVFAIL, REFUSED, ... */
  | (string & {});

/** Whether the reason is the same to a reader. */
export const isSame = (one: WaitReason, other: WaitReason | undefined): boolean =>
  one.waitingFor === other?.waitingFor && one.seen === other.seen;

/** `waiting for its name: no such service, or it publishes no pod` */
export const describeReason = ({ waitingFor, seen }: WaitReason): string =>
  `waiting for its ${waitingFor}: ${seen}`;

/** A new reason is logged at once, one that stays once a minute. */
const remindMs = 60_000;

type Log = (level: 'info', message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Logs wait reasons and keeps the last. Times are written as the log writes its own. */
export function createReasonLog(parent: string, log: Log) {
  let last: WaitReason | undefined;
  let loggedAt: Instant = 0;
  return {
    last: () => last,
    record: (reason: WaitReason): void => {
      const now = instant();
      const isNew = !isSame(reason, last);
      last = reason;
      if (!isNew && now - loggedAt < remindMs) return;
      loggedAt = now;
      const { since, asksNext, ...rest } = reason;
      log('info', `Waiting for the parent's ${reason.waitingFor}: ${reason.seen}`, {
        parent,
        ...rest,
        since: new Date(since).toISOString(),
        ...(asksNext !== undefined && { asksNext: new Date(asksNext).toISOString() }),
      });
    },
  };
}
