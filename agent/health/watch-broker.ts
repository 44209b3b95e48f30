/**
 * Keeps one connection to the broker's local socket while the broker lives, and notes what it says: every state as it is
 * entered, the subtree below, the heartbeat that comes down from rank 0. Nothing is polled. A probe asks for the state all the same: a
 * stream that has ended, or that the broker has refused, must not leave a state behind that is no longer true.
 */

import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod/mini';
import type { FluxClient } from '../flux/client.ts';
import { watchGroup } from '../flux/services/groups.ts';
import { watchHealth } from '../flux/services/overlay.ts';
import {
  type BrokerState,
  brokerStates,
  getState,
  isAfter,
  isOnline,
  watchState,
} from '../flux/services/state-machine.ts';
import { instant } from '../instant.ts';
import type { Log } from '../log.ts';
import { type BrokerObservation, stateOf } from './observations.ts';
import { retryMs } from './when-there.ts';

export interface BrokerWatch {
  /** The connection, while there is one. */
  readonly client: () => FluxClient | undefined;
  /**
   * Asks the broker for its state and waits for it, 200 ms at most. The state is noted; where none comes, that is noted as
   * `silentSince` or `confirmed`. Any number of callers share one question, and a broker that has answered is asked again 100 ms later
   * at the earliest.
   */
  readonly pulse: () => Promise<void>;
  /** Fulfilled when the watch has ended, which it does with `signal`. */
  readonly ended: Promise<void>;
}

export interface WatchOptions {
  /** The next connection to the broker, as soon as it takes one; undefined ends the watch. */
  readonly connect: (signal: AbortSignal) => Promise<FluxClient | undefined>;
  readonly leads: boolean;
  /** The state in which it is already, of a broker that was not watched from its start. */
  readonly state?: { readonly state: BrokerState; readonly since: number } | undefined;
  /** The broker's life. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called when the broker has entered a state, with the connection that told it. */
  readonly onState?: ((state: BrokerState, client: FluxClient) => void) | undefined;
  readonly now?: () => number;
}

export function watchBroker(broker: BrokerObservation, options: WatchOptions): BrokerWatch {
  const { signal, connect, state: before, now = instant } = options;
  if (before) noteState(broker, before.state, before.since);
  let connection: Connection | undefined;
  let question: Promise<void> | undefined;
  let staleAt = 0;

  const keep = async () => {
    while (!signal.aborted) {
      const client = await connect(signal);
      if (!client) return;
      staleAt = 0;
      broker.connected = true;
      broker.silentSince = undefined;
      const { close } = client;
      signal.addEventListener('abort', close, { once: true });
      connection = { client, enter: enterOver(client, broker, options) };
      await Promise.all([observe(connection, options), client.closed]);
      signal.removeEventListener('abort', close);
      connection = undefined;
      broker.confirmed = false;
    }
  };

  /** Settles with the answer, or when the patience ends; the answer is awaited all the same. */
  const ask = (of: Connection): Promise<void> => {
    const asked = now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const owed = setTimeout(() => {
      broker.silentSince ??= asked;
      resolve();
    }, patienceMs);
    getState(of.client)
      .then(({ state, duration }) => {
        broker.silentSince = undefined;
        of.enter(state, now() - duration * 1000);
      })
      // Most often the connection has ended: the watch connects again, or the broker has ended.
      .catch(() => {
        if (of === connection) broker.confirmed = false;
      })
      .finally(() => {
        clearTimeout(owed);
        if (of === connection) staleAt = now() + reuseMs;
        resolve();
      });
    return promise;
  };

  return {
    client: () => connection?.client,
    pulse: async () => {
      if (!connection) return;
      if (now() >= staleAt) {
        staleAt = Number.POSITIVE_INFINITY;
        question = ask(connection);
      }
      await question;
    },
    ended: keep(),
  };
}

/** A broker that was asked and has not answered within this is silent. */
const patienceMs = 200;

/** For as long an answer counts: whoever asks without end makes the broker answer ten times a second, and a broker that has stopped is noticed as soon. */
const reuseMs = 100;

interface Connection {
  readonly client: FluxClient;
  /** Notes a state that the broker has said over this connection: of its own accord, or when it was asked. */
  readonly enter: (state: BrokerState, at: number) => void;
}

function enterOver(
  client: FluxClient,
  broker: BrokerObservation,
  options: WatchOptions,
): Connection['enter'] {
  const { now = instant, log, leads, onState = () => undefined } = options;
  let last: BrokerState | undefined;
  let following = false;
  const follow = () => {
    if (following) return;
    following = true;
    // These services come with the broker's first modules; what ends them ends the connection as well, or does not matter.
    const quietly = (end: unknown) =>
      log('debug', 'A stream from the broker has ended', { why: String(end) });
    void noteOverlay(client, broker).catch(quietly);
    if (leads) void noteOnline(client, broker).catch(quietly);
    else void noteHeartbeat(client, broker, now).catch(quietly);
  };
  return (state, at) => {
    broker.confirmed = true;
    // The stream and an answer may overtake each other: a broker never goes back to an earlier state.
    if (last !== undefined && !isAfter(state, last)) return;
    last = state;
    noteState(broker, state, at);
    onState(state, client);
    if (isOnline(state)) follow();
  };
}

async function observe({ client, enter }: Connection, { now = instant, log }: WatchOptions): Promise<void> {
  let gone = false;
  void client.closed.then(() => {
    gone = true;
  });
  for (let pauseMs = retryMs.least; !gone; pauseMs = Math.min(retryMs.most, pauseMs * 2)) {
    try {
      for await (const state of watchState(client)) enter(state, now());
    } catch (error) {
      // The socket is there before the services are, and after them.
      log('debug', 'The broker does not tell its state', { why: String(error) });
    }
    if (!gone) await delay(pauseMs);
  }
}

/** The broker process has ended. Its last states come when its socket has gone. */
export function noteEnd(broker: BrokerObservation, at: number): void {
  broker.silentSince = undefined;
  if (stateOf(broker) === 'goodbye') broker.states.push({ state: 'unload-builtins', since: at });
  if (broker.states.length > 0) broker.states.push({ state: 'exit', since: at });
}

/** A broker goes through the states up to `run` in their order: one that was left before it was seen is noted with the next. */
function noteState(broker: BrokerObservation, state: BrokerState, at: number): void {
  const last = stateOf(broker);
  if (last !== undefined && !isAfter(state, last)) return;
  const place = brokerStates.indexOf(state);
  const seen = last === undefined ? -1 : brokerStates.indexOf(last);
  const passed = place <= brokerStates.indexOf('run') ? brokerStates.slice(seen + 1, place) : [];
  for (const name of passed)
    broker.states.push({ state: name, since: name === 'load-builtins' ? broker.startedAt : at });
  broker.states.push({ state, since: at });
}

async function noteOverlay(client: FluxClient, broker: BrokerObservation): Promise<void> {
  try {
    for await (const health of watchHealth(client)) broker.overlay = health;
  } finally {
    broker.overlay = undefined;
  }
}

async function noteOnline(client: FluxClient, broker: BrokerObservation): Promise<void> {
  try {
    for await (const online of watchGroup(client, 'broker.online')) broker.online = online;
  } finally {
    broker.online = undefined;
  }
}

const heartbeatStats = z.object({ period: z.number() });
/** Flux's own default (flux-core src/modules/heartbeat). */
const usualPeriodMs = 2000;

/** Rank 0 publishes a heartbeat, which comes through the parent. That the parent has accepted this broker counts as the first. */
async function noteHeartbeat(
  client: FluxClient,
  broker: BrokerObservation,
  now: () => number,
): Promise<void> {
  broker.heartbeat = { at: now(), periodMs: usualPeriodMs };
  client.subscribe('heartbeat.pulse', () => {
    broker.heartbeat = { at: now(), periodMs: broker.heartbeat?.periodMs ?? usualPeriodMs };
  });
  const stats = z.safeParse(heartbeatStats, await client.rpc('heartbeat.stats-get', {}));
  if (stats.success) broker.heartbeat = { ...broker.heartbeat, periodMs: stats.data.period * 1000 };
}
