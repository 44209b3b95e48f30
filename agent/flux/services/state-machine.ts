/** The broker's states (flux-core src/broker/state_machine.c). */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod/mini';
import type { CallOptions, RpcOptions } from '../channel.ts';
import { Errno, FluxError } from '../errors.ts';
import { type FluxClient, readAnswer } from './answer.ts';

/** In their order; state-machine.monitor answers with their indices (state_machine.h, broker_state_t). */
export const brokerStates = [
  'load-builtins',
  'join',
  'config-sync',
  'init',
  'quorum',
  'run',
  'cleanup',
  'shutdown',
  'finalize',
  'goodbye',
  'unload-builtins',
  'exit',
] as const;
export type BrokerState = (typeof brokerStates)[number];

/** Whether a broker enters `state` after `other`. */
export const isAfter = (state: BrokerState, other: BrokerState): boolean =>
  brokerStates.indexOf(state) > brokerStates.indexOf(other);

/** From here on its parent has accepted it, and it answers all requests. */
export const isOnline = (state: BrokerState): boolean => !isAfter('init', state);

const stateAnswer = z.object({ state: z.enum(brokerStates), duration: z.number() });
const monitorAnswer = z.object({ state: z.int() });

/** The broker's state, and the seconds that it has been in it. */
export async function getState(
  client: FluxClient,
  options?: RpcOptions,
): Promise<z.output<typeof stateAnswer>> {
  const topic = 'state-machine.get';
  return readAnswer(stateAnswer, topic, await client.rpc(topic, {}, options));
}

/**
 * The broker's state now and at every change, as it happens. Before it is `init`, which a follower reaches when its parent has accepted
 * it, a broker answers state-machine.get and not state-machine.monitor (flux-core src/broker/modhash.c, allow_early_request): until then it
 * is asked at each new line of its log, which has one for every change.
 */
export async function* watchState(
  client: FluxClient,
  options?: CallOptions,
): AsyncGenerator<BrokerState, void> {
  let last: BrokerState | undefined;
  const isNew = (state: BrokerState) => {
    const other = state !== last;
    last = state;
    return other;
  };
  for (;;) {
    try {
      for await (const state of monitorState(client, options)) if (isNew(state)) yield state;
      return;
    } catch (error) {
      if (!(error instanceof FluxError && error.errnum === Errno.tryAgain)) throw error;
    }
    for await (const state of askUntilOnline(client, options)) if (isNew(state)) yield state;
  }
}

/** The interval of requests to a broker that does not stream its log. */
const offlineMs = 50;

async function* askUntilOnline(client: FluxClient, options?: CallOptions): AsyncGenerator<BrokerState, void> {
  const log = { ...options, text: true };
  const lines = client.stream('log.dmesg', { follow: true, nobacklog: true }, log);
  const nextLine = async () => {
    const end = await lines.next().catch(() => ({ done: true }));
    if (end.done) await delay(offlineMs);
  };
  // The request goes out before the question for the state, so that no change falls between the two.
  for (let line = nextLine(); ; line = nextLine()) {
    const { state } = await getState(client, options);
    yield state;
    if (isOnline(state)) break;
    await line;
    options?.signal?.throwIfAborted();
  }
  void lines.return();
}

/** The indices differ between versions of Flux: where the first one does not match its name, each state is asked for by its name. */
async function* monitorState(client: FluxClient, options?: CallOptions): AsyncGenerator<BrokerState, void> {
  const topic = 'state-machine.monitor';
  let numbered: boolean | undefined;
  for await (const answer of client.stream(topic, {}, options)) {
    const state = brokerStates[readAnswer(monitorAnswer, topic, answer).state];
    if (numbered && state) {
      yield state;
      continue;
    }
    const named = (await getState(client, options)).state;
    numbered ??= named === state || (state !== undefined && isAfter(named, state));
    yield numbered && state ? state : named;
  }
}
