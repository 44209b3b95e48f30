/**
 * The links to the leaders of all MiniClusters, and what they have reported. A report counts when it may: a busy queue of jobs changes it
 * every second, and each change is a write of a status. What cannot wait counts at once.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NoLink, OpenLinkOptions } from '../../agent/link/open-link.ts';
import { createThrottle, type Throttle } from '../../agent/throttle.ts';
import { type Clock, systemClock } from '../kubernetes/controller-clock.ts';
import type { Backoff } from '../kubernetes/exponential-backoff.ts';
import type { LeaderNews } from '../reconcile/minicluster-status.ts';
import { hasActiveJob } from './has-active-job.ts';
import { keepLink } from './keep-link.ts';
import { createKeepSize, type KeepSize } from './keep-size.ts';
import type { LeaderTarget } from './leader-target.ts';

export interface Leaders {
  /**
   * Keeps a link to `target`, the present leader of the MiniCluster `key`, or none. Returns its report that counts.
   */
  readonly follow: (key: string, target: LeaderTarget | undefined) => LeaderNews;
  /**
   * Asks the leader that is followed to keep this size: the ranks from there on take no new jobs, and the report has `freed` when none is left
   * there. It is asked again over each new link, and can be called again and again.
   */
  readonly keep: (key: string, size: number) => void;
  /** Closes all links. */
  readonly close: () => void;
}

export interface LeadersOptions {
  /** Names this controller among its replicas. */
  readonly holder: string;
  /** Another report counts. */
  readonly onChange: (key: string) => void;
  /** There is no link to the leader: told once for each target. */
  readonly onFailure: (key: string, why: NoLink) => void;
  /** The leader, or its agent's version, does not take a request for this size. */
  readonly onRefused?: (key: string, size: number) => void;
  /** Reports count at most once in so many milliseconds, the last one always. */
  readonly reportMs?: number | undefined;
  readonly backoff?: Backoff | undefined;
  readonly clock?: Clock;
  readonly deadlines?: OpenLinkOptions['deadlines'];
  /** In place of the target's. */
  readonly port?: number | undefined;
}

interface Followed {
  readonly target: LeaderTarget;
  counts: LeaderNews;
  readonly keep: KeepSize['keep'];
  readonly stop: () => void;
}

const usual = {
  reportMs: 5000,
  backoff: { first: 1000, most: 300_000 },
  retryMs: 5000,
  // A controller that starts opens the links of all MiniClusters at once, and waits for no single one.
  deadlines: { connectMs: 5000, helloMs: 5000 },
};

/** A network may need a moment for a new pod. What answers as no leader of this MiniCluster goes on doing so. */
const isLasting = (why: NoLink, failures: number): boolean => why === 'foreign' || failures >= 3;

export function createLeaders(options: LeadersOptions): Leaders {
  const { holder, onChange, onFailure, reportMs = usual.reportMs, backoff = usual.backoff } = options;
  const { clock = systemClock, onRefused = () => undefined } = options;
  const followed = new Map<string, Followed>();

  const begin = (key: string, target: LeaderTarget): Followed => {
    const life = new AbortController();
    let newest: LeaderNews = 'pending';
    const count: Throttle = createThrottle(reportMs, () => {
      if (isDeepStrictEqual(newest, leader.counts)) return;
      leader.counts = newest;
      onChange(key);
    });
    const { keep, over } = createKeepSize({
      retryMs: usual.retryMs,
      clock,
      onRefused: (size) => onRefused(key, size),
      signal: life.signal,
    });
    const leader: Followed = {
      target,
      counts: newest,
      keep,
      stop: () => {
        count.stop();
        life.abort();
      },
    };
    let isTold = false;
    const report = (next: LeaderNews) => {
      newest = next;
      if (isUrgent(newest, leader.counts)) count.actNow();
      else if (!isDeepStrictEqual(newest, leader.counts)) count.request();
    };
    void keepLink(
      { ...target, port: options.port ?? target.port },
      {
        holder,
        signal: life.signal,
        backoff,
        clock,
        deadlines: options.deadlines ?? usual.deadlines,
        onReport: ({ kind: _kind, size: _size, ...facts }) => report(facts),
        onLink: over,
        onBroken: () => {
          over(undefined);
          report(undefined);
        },
        onFailure: (why, failures) => {
          if (isTold || !isLasting(why, failures)) return;
          isTold = true;
          report(undefined);
          onFailure(key, why);
        },
      },
    );
    return leader;
  };

  return {
    follow: (key, target) => {
      const current = followed.get(key);
      if (target && current && isSame(current.target, target)) return current.counts;
      current?.stop();
      followed.delete(key);
      if (!target) return undefined;
      const next = begin(key, target);
      followed.set(key, next);
      return next.counts;
    },
    keep: (key, size) => followed.get(key)?.keep(size),
    close: () => {
      for (const { stop } of followed.values()) stop();
      followed.clear();
    },
  };
}

/**
 * An instance with an active job is not idle any more. A job waits for a size that is larger, and what the demand was holds no more when there is none. A smaller one has to have been enough for a
 * while in any case: with a demand that goes up and down every second the status would be written as often.
 */
function isUrgent(next: LeaderNews, counts: LeaderNews): boolean {
  const [one, other] = [next, counts].map((news) => (typeof news === 'object' ? news : undefined));
  const [needs, needed] = [one?.demand, other?.demand];
  if (!needs !== !needed || one?.freed !== other?.freed) return true;
  return (needs?.wanted ?? 0) > (needed?.wanted ?? 0) || (hasActiveJob(next) && !hasActiveJob(counts));
}

const isSame = (one: LeaderTarget, other: LeaderTarget): boolean =>
  one.uid === other.uid && one.host === other.host && one.key.equals(other.key);
