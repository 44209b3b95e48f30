/** A stream of the broker, asked for again when it has ended: its service may be loaded later, or the broker exits. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectOptions, FluxClient } from '../flux/client.ts';
import type { Log } from '../log.ts';

/** A connection for one stream: what has no stream of its own to cancel ends with it. Rejects where the broker takes none. */
export type Connect = (options: ConnectOptions) => Promise<FluxClient>;

export interface StreamOptions {
  readonly connect: Connect;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Milliseconds. */
  readonly retry?: typeof usualRetry | undefined;
}

const usualRetry = { least: 1000, most: 30_000 };

/** Calls `onItem` with each item until `signal` aborts. `what` names the stream in the log. */
export async function keepStream<Item>(
  what: string,
  stream: (client: FluxClient) => AsyncGenerator<Item, void>,
  onItem: (item: Item) => void,
  { connect, signal, log, retry = usualRetry }: StreamOptions,
): Promise<void> {
  for (let pauseMs = retry.least; !signal.aborted; pauseMs = Math.min(retry.most, pauseMs * 2)) {
    try {
      using client = await connect({ signal });
      for await (const item of stream(client)) {
        pauseMs = retry.least;
        onItem(item);
      }
    } catch (error) {
      if (!signal.aborted) log('debug', `The stream of ${what} has ended`, { why: String(error) });
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
