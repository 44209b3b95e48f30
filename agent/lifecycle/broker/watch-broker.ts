/**
 * Connects to the broker's local socket, again and again while the broker runs, and notes what the broker reports: every state as it is
 * entered, the subtree below, the heartbeat from rank 0. Nothing is polled. A probe still asks for the state where the broker has not been heard
 * for a while: it may hang. And where it does not report its states: a stream that has ended, or that the broker has refused, must not leave
 * a state behind that is no longer true.
 */

import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod/mini';
import { instant } from '../../clock.ts';
import type { FluxClient } from '../../flux/client.ts';
import { watchGroup } from '../../flux/services/groups.ts';
import { isJoined, watchHealth } from '../../flux/services/overlay.ts';
import {
  type BrokerState,
  brokerStates,
  getState,
  isAfter,
  isOnline,
  watchState,
} from '../../flux/services/state-machine.ts';
import { stateOf, type WrittenBrokerStatus } from '../../health/broker-status.ts';
import type { Log } from '../../log.ts';
import { retryMs } from './wait-for-socket.ts';

export interface BrokerWatch {
  /** The connection, while there is one. */
  readonly client: () => FluxClient | undefined;
  /**
   * Asks the broker for its state and waits for it, 200 ms at most. The state is noted; where none comes, `silentSince` or `confirmed`
   * shows that. Any number of callers share one request, and the next follows 100 ms after the response at the earliest. A broker that
   * reports its states, and has been heard in the last `heardWithinMs`, is not asked.
   */
  readonly pulse: (heardWithinMs?: number) => Promise<void>;
  /** Fulfilled when the watch has ended, by `signal`. */
  readonly ended: Promise<void>;
}

export interface WatchOptions {
  /** The next connection to the broker, as soon as it takes one; undefined ends the watch. */
  readonly connect: (signal: AbortSignal) => Promise<FluxClient | undefined>;
  readonly leads: boolean;
  /** The present state of a broker that was not watched from its start. */
  readonly state?: { readonly state: BrokerState; readonly since: number } | undefined;
  /** Aborts when the broker exits. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called when the broker has entered a state, with the connection that reported it. */
  readonly onState?: ((state: BrokerState, client: FluxClient) => void) | undefined;
  readonly now?: () => number;
}

export function watchBroker(broker: WrittenBrokerStatus, options: WatchOptions): BrokerWatch {
  const { signal, connect, state: before, now = instant } = options;
  if (before) noteState(broker, before.state, before.since);
  let connection: Connection | undefined;
  let question: Promise<void> | undefined;
  let staleAt = 0;

  const isHeard = ({ reports, answeredAt }: Connection, withinMs: number): boolean =>
    reports && now() - Math.max(answeredAt, broker.heartbeat?.at ?? answeredAt) < withinMs;

  const keep = async () => {
    while (!signal.aborted) {
      const client = await connect(signal);
      if (!client) return;
      staleAt = 0;
      broker.connected = true;
      broker.silentSince = undefined;
      const { close } = client;
      signal.addEventListener('abort', close, { once: true });
      connection = {
        client,
        enter: enterOver(client, broker, options),
        reports: false,
        answeredAt: Number.NEGATIVE_INFINITY,
      };
      await Promise.all([observe(connection, options), client.closed]);
      signal.removeEventListener('abort', close);
      connection = undefined;
      broker.confirmed = false;
    }
  };

  /** Settles with the response, or at the timeout; the response is awaited all the same. */
  const ask = (of: Connection): Promise<void> => {
    const asked = now();
    const { promise, resolve } = Promise.withResolvers<void>();
    let isOwed = true;
    // Where this process has not run for so long, the response may be there to be read: that comes before setImmediate.
    const owed = setTimeout(setImmediate, answerWithinMs, () => {
      if (isOwed) broker.silentSince ??= asked;
      resolve();
    });
    getState(of.client)
      .then(({ state, duration }) => {
        broker.silentSince = undefined;
        of.answeredAt = now();
        of.enter(state, now() - duration * 1000);
      })
      // Most often the connection has ended: the watch connects again, or the broker has exited.
      .catch(() => {
        if (of === connection) broker.confirmed = false;
      })
      .finally(() => {
        clearTimeout(owed);
        isOwed = false;
        if (of === connection) staleAt = now() + reuseMs;
        resolve();
      });
    return promise;
  };

  return {
    client: () => connection?.client,
    pulse: async (heardWithinMs = 0) => {
      if (!connection || isHeard(connection, heardWithinMs)) return;
      if (now() >= staleAt) {
        staleAt = Number.POSITIVE_INFINITY;
        question = ask(connection);
      }
      await question;
    },
    ended: keep(),
  };
}

/** A broker that has not answered within this is silent. */
const answerWithinMs = 200;

/** A response counts this long: any number of probes make the broker answer ten times a second, and a stopped broker shows as soon. */
const reuseMs = 100;

interface Connection {
  readonly client: FluxClient;
  /** Notes a state that the broker has reported over this connection, by the stream or in a response. */
  readonly enter: (state: BrokerState, at: number) => void;
  /** Whether the broker reports each state that it enters. */
  reports: boolean;
  /** When it last answered; -Infinity before that. */
  answeredAt: number;
}

function enterOver(
  client: FluxClient,
  broker: WrittenBrokerStatus,
  options: WatchOptions,
): Connection['enter'] {
  const { now = instant, log, leads, onState = () => undefined } = options;
  let last: BrokerState | undefined;
  let following = false;
  const follow = () => {
    if (following) return;
    following = true;
    // These services come with the broker's first modules. A stream that ends before the connection does not matter.
    const quietly = (end: unknown) =>
      log('debug', 'A stream from the broker has ended', { why: String(end) });
    void noteOverlay(client, broker).catch(quietly);
    if (leads) void noteOnline(client, broker).catch(quietly);
    else void noteHeartbeat(client, broker, now).catch(quietly);
  };
  return (state, at) => {
    broker.confirmed = true;
    // The stream and a response may overtake each other: a broker never returns to an earlier state.
    if (last !== undefined && !isAfter(state, last)) return;
    last = state;
    noteState(broker, state, at);
    onState(state, client);
    if (isOnline(state)) follow();
  };
}

async function observe(connection: Connection, { now = instant, log }: WatchOptions): Promise<void> {
  const { client, enter } = connection;
  let closed = false;
  void client.closed.then(() => {
    closed = true;
  });
  for (let pauseMs = retryMs.least; !closed; pauseMs = Math.min(retryMs.most, pauseMs * 2)) {
    try {
      for await (const state of watchState(client)) {
        connection.reports = true;
        enter(state, now());
      }
    } catch (error) {
      // The socket exists before the services do, and after them.
      log('debug', 'The broker does not report its state', { why: String(error) });
    }
    connection.reports = false;
    if (!closed) await delay(pauseMs);
  }
}

/** The broker process has exited. It enters its last states after it has closed its socket. */
export function noteExit(broker: WrittenBrokerStatus, at: number): void {
  broker.silentSince = undefined;
  if (stateOf(broker) === 'goodbye') broker.states.push({ state: 'unload-builtins', since: at });
  if (broker.states.length > 0) broker.states.push({ state: 'exit', since: at });
}

/** A broker enters the states up to `run` in their order: a short one that was missed is noted with the next. */
function noteState(broker: WrittenBrokerStatus, state: BrokerState, at: number): void {
  const last = stateOf(broker);
  if (last !== undefined && !isAfter(state, last)) return;
  const place = brokerStates.indexOf(state);
  const seen = last === undefined ? -1 : brokerStates.indexOf(last);
  const passed = place <= brokerStates.indexOf('run') ? brokerStates.slice(seen + 1, place) : [];
  for (const name of passed)
    broker.states.push({ state: name, since: name === 'load-builtins' ? broker.startedAt : at });
  broker.states.push({ state, since: at });
}

async function noteOverlay(client: FluxClient, broker: WrittenBrokerStatus): Promise<void> {
  try {
    for await (const health of watchHealth(client)) {
      broker.overlay = health;
      for (const child of health.children) if (isJoined(child)) broker.joined.add(child.rank);
    }
  } finally {
    broker.overlay = undefined;
  }
}

async function noteOnline(client: FluxClient, broker: WrittenBrokerStatus): Promise<void> {
  try {
    for await (const online of watchGroup(client, 'broker.online')) broker.online = online;
  } finally {
    broker.online = undefined;
  }
}

const heartbeatStats = z.object({ period: z.number() });
/** Flux's own default (flux-core src/modules/heartbeat). */
const usualPeriodMs = 2000;

/** Rank 0 publishes a heartbeat, which comes through the parent. The parent's acceptance of this broker counts as the first. */
async function noteHeartbeat(
  client: FluxClient,
  broker: WrittenBrokerStatus,
  now: () => number,
): Promise<void> {
  broker.heartbeat = { at: now(), periodMs: usualPeriodMs };
  client.subscribe('heartbeat.pulse', () => {
    broker.heartbeat = { at: now(), periodMs: broker.heartbeat?.periodMs ?? usualPeriodMs };
  });
  const stats = z.safeParse(heartbeatStats, await client.rpc('heartbeat.stats-get', {}));
  if (stats.success) broker.heartbeat = { ...broker.heartbeat, periodMs: stats.data.period * 1000 };
}
