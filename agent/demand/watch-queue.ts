/**
 * The demand of the instance's queue, from Flux's own streams: the job manager's journal, and the events of resources, at each of which the
 * nodes' status is asked for once. While nothing happens nothing is asked, with two exceptions for which Flux has no event: while jobs wait,
 * whether their queue is stopped, and while housekeeping runs, whether it has ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Instant, instant } from '../clock.ts';
import type { ConnectOptions, FluxClient } from '../flux/client.ts';
import { watchJournal } from '../flux/services/eventlog/job-journal.ts';
import { watchResourceEvents } from '../flux/services/resource.ts';
import type { Log } from '../log.ts';
import { type Changes, createChanges } from './changes.ts';
import { type Demand, type DemandLimits, demandOf } from './demand.ts';
import { createQueueState, type QueueState, wantedEvents } from './queue-state.ts';
import { createSurroundings } from './surroundings.ts';

export interface WatchQueueOptions {
  /** Rejects where the broker takes no connection. */
  readonly connect: (options: ConnectOptions) => Promise<FluxClient>;
  readonly limits: Omit<DemandLimits, 'inOrder'>;
  /** Called when the demand has changed; undefined while it is not known. */
  readonly onDemand: (demand: Demand | undefined) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly times?: QueueTimes;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** By which evaluations are timed. */
  readonly clock?: () => Instant;
}

/** Milliseconds. */
export interface QueueTimes {
  /** From one evaluation to the next; more where an evaluation takes longer than a twentieth of it. */
  readonly betweenMs: number;
  readonly queuesMs: number;
  readonly housekeepingMs: number;
  /** A stream may end because its service is loaded later, or because the broker exits. */
  readonly retryMs: { readonly least: number; readonly most: number };
}

const usualTimes: QueueTimes = {
  betweenMs: 250,
  queuesMs: 5000,
  housekeepingMs: 2000,
  retryMs: { least: 1000, most: 5000 },
};

/** After so many failures in a row the service is not one that is loaded later: this Flux does not have it. */
const lasting = 10;

/** Of the agent's time, one part in so many at most is for evaluations. What the broker takes to answer is not the agent's. */
const parts = 20;

type Change = 'present' | 'jobs' | 'free' | 'nodes';

/** Watches until `signal` aborts, over one connection to the broker. */
export function watchQueue(options: WatchQueueOptions): void {
  const { connect, onDemand, signal, log, times = usualTimes } = options;
  const { least, most } = times.retryMs;
  const forever = async () => {
    /** In a row, of a broker that takes connections. */
    let failures = 0;
    for (let pauseMs = least; !signal.aborted; pauseMs = Math.min(most, pauseMs * 2)) {
      let known = false;
      try {
        using client = await connect({ signal });
        failures++;
        await watchOnce(client, {
          ...{ ...options, times },
          onDemand: (demand) => {
            known = true;
            failures = 0;
            onDemand(demand);
          },
        });
      } catch (error) {
        const level = failures === lasting ? 'warn' : 'debug';
        if (!signal.aborted) log(level, 'The demand of the queue is not known', { why: String(error) });
      }
      if (signal.aborted) return;
      if (known) {
        pauseMs = least;
        onDemand(undefined);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  };
  void forever();
}

type Once = WatchQueueOptions & { readonly times: QueueTimes };

/** Until one of the streams ends: then the other, and the evaluation, end as well. */
async function watchOnce(client: FluxClient, options: Once): Promise<void> {
  const life = new AbortController();
  const signal = AbortSignal.any([options.signal, life.signal]);
  const queue = createQueueState();
  const changes = createChanges<Change>();
  const followJobs = async () => {
    for await (const entry of watchJournal(client, { allow: wantedEvents, signal })) {
      if (entry === 'present') changes.note('present');
      else {
        queue.apply(entry);
        changes.note(entry.events.some(({ name }) => name === 'free') ? 'free' : 'jobs');
      }
    }
  };
  const followNodes = async () => {
    for await (const _ of watchResourceEvents(client, { signal })) changes.note('nodes');
  };
  try {
    await Promise.race([
      followJobs(),
      followNodes(),
      evaluate(client, queue, changes, { ...options, signal }),
    ]);
  } finally {
    life.abort();
  }
}

async function evaluate(
  client: FluxClient,
  queue: QueueState,
  changes: Changes<Change>,
  { limits, onDemand, signal, times, now = Date.now, clock = instant }: Once,
): Promise<void> {
  const surroundings = createSurroundings(client, signal);
  let last: Demand | undefined;
  let againMs = Number.POSITIVE_INFINITY;
  /** The backlog is part of the queue from its end on. */
  for (let present = false; ; ) {
    const changed = await changes.next(againMs, signal);
    signal.throwIfAborted();
    present ||= changed.has('present');
    if (changed.has('nodes')) surroundings.forgetNodes();
    if (changed.has('free')) surroundings.forgetHousekeeping();
    if (!present) continue;
    const began = clock();
    const view = queue.view();
    const asked = clock();
    const around = await surroundings.read(view);
    const answered = clock();
    const seconds = now() / 1000;
    const demand = demandOf(
      { ...view, ...around },
      around.nodes,
      { ...limits, inOrder: around.inOrder },
      seconds,
    );
    if (!isDeepStrictEqual(demand, last)) onDemand(demand);
    last = demand;
    const tookMs = asked - began + (clock() - answered);
    againMs = Math.min(
      view.pending.length > 0 ? times.queuesMs : Number.POSITIVE_INFINITY,
      around.housekeeping.length > 0 ? times.housekeepingMs : Number.POSITIVE_INFINITY,
    );
    if (around.housekeeping.length > 0) surroundings.forgetHousekeeping();
    await delay(Math.max(times.betweenMs, parts * tookMs), undefined, { signal });
  }
}
