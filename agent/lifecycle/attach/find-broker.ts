/** Waits for a broker that another program starts, as long as one is to be expected. */
import { existsSync } from 'node:fs';
import { longestTimerMs } from '../../clock.ts';
import { errnoOf, messageOf } from '../../errors.ts';
import { connectFlux, type FluxClient } from '../../flux/client.ts';
import { Errno, FluxError } from '../../flux/errors.ts';
import type { Log } from '../../log.ts';
import { waitForSocket } from '../broker/wait-for-socket.ts';
import { type Instance, readInstance } from './instance.ts';

export interface FoundBroker {
  readonly client: FluxClient;
  readonly instance: Instance;
  readonly socket: string;
}

export interface BrokerSearch {
  /** The paths at which it looks. */
  readonly sockets: readonly string[];
  /** Called with why there is no broker yet. */
  readonly onWait: (reason: string) => void;
  /** A file that exists when no broker is to be expected any more. */
  readonly endMarker: string | undefined;
  /** Seconds to wait for a broker after one has exited; for ever unless given. */
  readonly linger: number | undefined;
  /** Whether there was a broker before this search. */
  readonly hadBroker: boolean;
  readonly answerWithinMs?: typeof usualAnswerWithinMs;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** A connection and the broker's attributes take milliseconds, on a busy machine seconds. A longer wait is logged, and ends with the second time. */
const usualAnswerWithinMs = { usually: 1000, most: 10_000 };
const silent = 'it does not answer';

/** Resolves to the broker, or to the reason why none is to be expected any more. Throws the signal's reason. */
export async function findBroker(search: BrokerSearch): Promise<FoundBroker | { readonly over: string }> {
  const { sockets, onWait, endMarker, linger, signal, log, answerWithinMs = usualAnswerWithinMs } = search;
  const enough = new AbortController();
  let { hadBroker } = search;
  let timer: NodeJS.Timeout | undefined;
  let last = '';
  const wait = (reason: string) => {
    onWait(reason);
    if (last !== reason) log('info', `Waiting for a broker: ${reason}`);
    last = reason;
  };
  const onMissing = (reasons: readonly unknown[]) => {
    wait(describe(sockets, reasons));
    if (reasons.some(isFromBroker)) {
      // A broker that does not admit this user counts as well.
      hadBroker = true;
      clearTimeout(timer);
      timer = undefined;
    } else if (hadBroker) timer ??= lingerTimer(linger, enough);
    if (endMarker !== undefined && existsSync(endMarker))
      enough.abort("the Flux Operator's wait script has ended");
  };
  try {
    const either = AbortSignal.any([signal, enough.signal]);
    const found = await waitForSocket(sockets, {
      attempt: async (socket) => {
        const slow = setTimeout(() => wait(`${socket}: ${silent}`), answerWithinMs.usually);
        return connect(socket, either, answerWithinMs.most).finally(() => clearTimeout(slow));
      },
      signal: either,
      onMissing,
    });
    signal.throwIfAborted();
    return found ?? { over: String(enough.signal.reason) };
  } finally {
    clearTimeout(timer);
  }
}

/** None, where it is longer than a timer can count. */
function lingerTimer(seconds: number | undefined, enough: AbortController): NodeJS.Timeout | undefined {
  const milliseconds = (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (milliseconds > longestTimerMs) return undefined;
  return setTimeout(
    () => enough.abort(`none has started again within ${seconds} s (FLUX_POD_LINGER)`),
    milliseconds,
  );
}

/** Connects, and reads the broker's attributes. Throws where there is no broker, or none that this user may watch. */
async function connect(socket: string, signal: AbortSignal, withinMs: number): Promise<FoundBroker> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(silent)), withinMs);
  let client: FluxClient | undefined;
  try {
    const both = AbortSignal.any([signal, late.signal]);
    client = await connectFlux(socket, { signal: both });
    const instance = await readInstance(client, { signal: both });
    await assertMayWatch(client, instance, both);
    return { client, instance, socket };
  } catch (error) {
    client?.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * With `allow-guest-user` others than the owner are admitted, and may ask for the state, but not watch it (flux-core
 * src/broker/state_machine.c, state-machine.monitor). Before its state is `init` a broker answers a request to watch it with EAGAIN,
 * from any user. The log is for the owner as well, and answers in every state (src/broker/modhash.c, allow_early_request).
 */
async function assertMayWatch(client: FluxClient, { owner }: Instance, signal: AbortSignal): Promise<void> {
  const log = client.stream('log.dmesg', { follow: false, nobacklog: true }, { text: true, signal });
  try {
    for await (const _ of log) return;
  } catch (error) {
    const errnum = error instanceof FluxError ? error.errnum : undefined;
    if (errnum === Errno.permission)
      throw new Error(`only user ${owner}, its owner, may watch the broker, not user ${process.getuid?.()}`);
    // A broker that shows its log to no user decides nothing about this one; a connection that has ended has not answered.
    if (errnum !== Errno.noService && errnum !== Errno.tryAgain) throw error;
  }
}

/** Why there is no broker at these paths. Those that exist come first. */
function describe(sockets: readonly string[], reasons: readonly unknown[]): string {
  const absent = sockets.filter((_, place) => isAbsent(reasons[place]));
  const present = sockets.flatMap((socket, place) =>
    isAbsent(reasons[place]) ? [] : [`${socket}: ${explain(reasons[place])}`],
  );
  return present.length > 0 ? present.join('; ') : `no such socket: ${absent.join(', ')}`;
}

/** Whether a broker has answered, and cannot be used: with any other reason there may be none. */
const isFromBroker = (reason: unknown): boolean =>
  !['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EACCES'].includes(nameOf(reason) ?? '');

const isAbsent = (reason: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(nameOf(reason) ?? '');

function explain(reason: unknown): string {
  switch (nameOf(reason)) {
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'EACCES':
      return `user ${process.getuid?.()} may not open it`;
    case 'EPERM':
      return `the broker does not admit user ${process.getuid?.()}: attach as its own user`;
    default:
      return messageOf(reason);
  }
}

const nameOf = (reason: unknown): string | undefined =>
  reason instanceof FluxError ? reason.errno : errnoOf(reason);
