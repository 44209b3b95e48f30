/** Waits for a broker that somebody else starts, as long as there is one to be expected. */
import { existsSync } from 'node:fs';
import { errnoOf, messageOf } from '../errors.ts';
import { connectFlux, type FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import type { Attachment } from '../health/observations.ts';
import { whenThere } from '../health/when-there.ts';
import { longestTimerMs } from '../instant.ts';
import type { Log } from '../log.ts';
import { type Instance, readInstance } from './instance.ts';

export interface FoundBroker {
  readonly client: FluxClient;
  readonly instance: Instance;
  readonly socket: string;
}

export interface BrokerSearch {
  readonly attachment: Attachment;
  /** A file that is there when nobody will start a broker any more. */
  readonly endMarker: string | undefined;
  /** Seconds to wait for a broker that has gone; for ever unless given. */
  readonly patience: number | undefined;
  /** Whether there was a broker before this search. */
  readonly hadBroker: boolean;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Connecting and asking who it is takes milliseconds, on a busy machine seconds. What takes longer is said, and then given up. */
const answerWithinMs = { usually: 1000, most: 10_000 };
const silent = 'it does not answer';

/** Resolves to the broker, or to a sentence why none is to be expected any more. Throws the signal's reason. */
export async function findBroker(search: BrokerSearch): Promise<FoundBroker | { readonly over: string }> {
  const { attachment, endMarker, patience, signal, log } = search;
  const enough = new AbortController();
  let { hadBroker } = search;
  let timer: NodeJS.Timeout | undefined;
  let said = '';
  const say = (obstacle: string) => {
    attachment.obstacle = obstacle;
    if (said !== obstacle) log('info', `Waiting for a broker: ${obstacle}`);
    said = obstacle;
  };
  const onMissing = (reasons: readonly unknown[]) => {
    say(describe(attachment.sockets, reasons));
    if (reasons.some(isFromBroker)) {
      // One that does not let this user watch it is there all the same, and counts once it has gone.
      hadBroker = true;
      clearTimeout(timer);
      timer = undefined;
    } else if (hadBroker) timer ??= patienceTimer(patience, enough);
    if (endMarker !== undefined && existsSync(endMarker))
      enough.abort("the Flux Operator's wait script has ended");
  };
  try {
    const either = AbortSignal.any([signal, enough.signal]);
    const found = await whenThere(attachment.sockets, {
      attempt: async (socket) => {
        const slow = setTimeout(() => say(`${socket}: ${silent}`), answerWithinMs.usually);
        return meet(socket, either).finally(() => clearTimeout(slow));
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

/** Longer than a timer can count is for ever. */
function patienceTimer(seconds: number | undefined, enough: AbortController): NodeJS.Timeout | undefined {
  const milliseconds = (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (milliseconds > longestTimerMs) return undefined;
  return setTimeout(
    () => enough.abort(`it has not come back within ${seconds} s (FLUX_POD_LINGER)`),
    milliseconds,
  );
}

/** Connects, and asks who it is. Throws where there is no broker, or none that this user may watch. */
async function meet(socket: string, signal: AbortSignal): Promise<FoundBroker> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(silent)), answerWithinMs.most);
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
 * whoever asks. The log is for the owner as well, and answers in every state (src/broker/modhash.c, allow_early_request).
 */
async function assertMayWatch(client: FluxClient, { owner }: Instance, signal: AbortSignal): Promise<void> {
  const log = client.stream('log.dmesg', { follow: false, nobacklog: true }, { text: true, signal });
  try {
    for await (const _ of log) return;
  } catch (error) {
    const errnum = error instanceof FluxError ? error.errnum : undefined;
    if (errnum === Errno.permission)
      throw new Error(`only user ${owner}, its owner, may watch the broker, not user ${process.getuid?.()}`);
    // A broker that shows its log to no user has said nothing of this one; a connection that has ended has not answered.
    if (errnum !== Errno.noService && errnum !== Errno.tryAgain) throw error;
  }
}

/** Why there is no broker at these paths. Those where there is at least something come first. */
function describe(sockets: readonly string[], reasons: readonly unknown[]): string {
  const absent = sockets.filter((_, place) => isAbsent(reasons[place]));
  const present = sockets.flatMap((socket, place) =>
    isAbsent(reasons[place]) ? [] : [`${socket}: ${explain(reasons[place])}`],
  );
  return present.length > 0 ? present.join('; ') : `no such socket: ${absent.join(', ')}`;
}

/** Whether a broker was there, and was of no use: any other reason may as well stand for none. */
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
