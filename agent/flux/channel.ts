/**
 * Requests and their responses on one connection (RFC 6), over any carrier: each request has a matchtag, and a response belongs to the
 * request with its tag. When the connection closes, all pending requests fail with its one reason.
 */
import { Flag, MessageType, NodeId, noMatchtag, noRole, unknownUser } from './constants.ts';
import { Errno, FluxError } from './errors.ts';
import type { Event, Message, Response } from './flux-message.ts';
import { decodeJson, decodeString, encodeJson, type JsonObject } from './payload.ts';

export interface CallOptions {
  /** The rank of the broker that answers, or NodeId.any (the default): the nearest that has the service. */
  readonly nodeid?: number;
  /** Ends the wait; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface RpcOptions extends CallOptions {
  /** The timeout of the response in milliseconds; none unless given. */
  readonly timeoutMs?: number | undefined;
}

export interface StreamOptions extends CallOptions {
  /** The service's own way to end a stream early, such as `job-info.eventlog-watch-cancel`. */
  readonly cancelTopic?: string;
  /** The responses are text rather than JSON. */
  readonly text?: boolean;
}

export interface Channel {
  /** One request, one response: its JSON payload. Throws a FluxError. */
  readonly rpc: (topic: string, payload?: JsonObject, options?: RpcOptions) => Promise<unknown>;
  /** The same with bytes in place of JSON, for the content store (RFC 10). */
  readonly rpcRaw: (topic: string, payload: Uint8Array, options?: RpcOptions) => Promise<Uint8Array>;
  /**
   * One request, many responses, until ENODATA. Leaving the loop or aborting ends the stream at the service too. The request is sent
   * when the first response is asked for. Throws a FluxError.
   */
  readonly stream: (
    topic: string,
    payload?: JsonObject,
    options?: StreamOptions,
  ) => AsyncGenerator<unknown, void>;
  /** Calls `listener` for every event whose topic begins with `prefix`; returns the end of the subscription. */
  readonly subscribe: (prefix: string, listener: (topic: string, payload: unknown) => void) => () => void;
  /** Takes an incoming message. */
  readonly receive: (message: Message) => void;
  /** Fails all pending requests, and all later ones. */
  readonly fail: (reason: FluxError) => void;
}

/** The connection below a channel. */
export interface Carrier {
  readonly send: (message: Message) => void;
  /** Stops and starts the arrival of messages: the flow control by which a slow reader slows the sender down. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Unread responses of a stream at which reading from the connection stops. */
const highWater = 1024;
const lastMatchtag = 0xffff_ffff;

export function createChannel(carrier: Carrier): Channel {
  const waiting = new Map<
    number,
    { readonly service: string | undefined; readonly take: (response: Response | FluxError) => void }
  >();
  const listeners = new Set<{
    readonly prefix: string;
    readonly listener: (topic: string, payload: unknown) => void;
  }>();
  const full = new Set<object>();
  /** RPCs whose callers wait. */
  let asked = 0;
  let paused = false;
  let matchtag: number = noMatchtag;
  let failure: FluxError | undefined;

  const nextMatchtag = (): number => {
    do matchtag = matchtag === lastMatchtag ? 1 : matchtag + 1;
    while (waiting.has(matchtag));
    return matchtag;
  };

  const request = (
    topic: string,
    payload: Uint8Array | undefined,
    flags: number,
    tag: number,
    nodeid: number,
  ) =>
    carrier.send({
      type: MessageType.request,
      flags: flags | (nodeid === NodeId.upstream ? Flag.upstream : 0),
      userid: unknownUser,
      rolemask: noRole,
      nodeid,
      matchtag: tag,
      routes: [],
      topic,
      ...(payload && { payload }),
    });

  const begin = (
    topic: string,
    payload: Uint8Array | undefined,
    flags: number,
    nodeid: number,
    take: (response: Response | FluxError) => void,
  ): number => {
    if (failure) throw failure;
    const tag = nextMatchtag();
    waiting.set(tag, { service: serviceOf(topic), take });
    request(topic, payload, flags, tag, nodeid);
    return tag;
  };

  const ask = <Answer>(
    topic: string,
    payload: Uint8Array | undefined,
    read: (response: Response | FluxError) => Answer,
    { nodeid = NodeId.any, signal, timeoutMs }: RpcOptions = {},
  ): Promise<Answer> => {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      let settled = false;
      const settle = (act: () => void) => {
        if (settled) return;
        settled = true;
        asked--;
        regulate();
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        act();
      };
      // A response after the timeout is dropped; until then its matchtag is not used again (RFC 6).
      const giveUp = (reason: unknown) => settle(() => reject(reason));
      const abort = () => giveUp(signal?.reason);
      begin(topic, payload, 0, nodeid, (response) =>
        settle(() => {
          try {
            resolve(read(response));
          } catch (error) {
            reject(error);
          }
        }),
      );
      asked++;
      regulate();
      signal?.addEventListener('abort', abort, { once: true });
      if (timeoutMs !== undefined) {
        const late = () =>
          giveUp(new FluxError(Errno.timedOut, { topic, text: `no answer in ${timeoutMs} ms` }));
        timer = setTimeout(late, timeoutMs);
      }
    });
  };

  const rpc: Channel['rpc'] = (topic, payload, options) =>
    ask(topic, payload && encodeJson(payload), (response) => resultOf(response, topic), options);

  const rpcRaw: Channel['rpcRaw'] = (topic, payload, options) =>
    ask(topic, payload, (response) => succeeded(response, topic).payload ?? Buffer.alloc(0), options);

  async function* stream(
    topic: string,
    payload?: JsonObject,
    { nodeid = NodeId.any, signal, cancelTopic, text = false }: StreamOptions = {},
  ): AsyncGenerator<unknown, void> {
    signal?.throwIfAborted();
    const queue: (Response | FluxError)[] = [];
    let wake = () => undefined as unknown;
    let ended = false;
    const tag = begin(topic, payload && encodeJson(payload), Flag.streaming, nodeid, (response) => {
      ended ||= isLast(response);
      queue.push(response);
      if (queue.length > highWater) hold(queue);
      wake();
    });
    const onAbort = () => wake();
    signal?.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const response = queue.shift();
        if (queue.length === 0) release(queue);
        if (!response) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = () => resolve();
          await promise;
        } else {
          if (isEnd(response)) return;
          yield resultOf(response, topic, text);
        }
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      release(queue);
      if (!ended && !failure) cancel(topic, tag, nodeid, cancelTopic);
    }
  }

  /** RFC 6: by the service's own method where it has one, else, when nothing else of that service is under way, by `disconnect`. */
  const cancel = (topic: string, tag: number, nodeid: number, cancelTopic: string | undefined) => {
    const service = serviceOf(topic);
    // Further responses of this stream are dropped.
    waiting.set(tag, { service: undefined, take: () => undefined });
    const silently = (cancellation: string, payload?: JsonObject) =>
      request(cancellation, payload && encodeJson(payload), Flag.noResponse, noMatchtag, nodeid);
    if (cancelTopic !== undefined) silently(cancelTopic, { matchtag: tag });
    else if (![...waiting.values()].some((other) => other.service === service)) {
      silently(service === '' ? 'disconnect' : `${service}.disconnect`);
      // A stream that a disconnect ends has no last response.
      waiting.delete(tag);
    }
  };

  const hold = (queue: object) => {
    full.add(queue);
    regulate();
  };
  const release = (queue: object) => {
    if (full.delete(queue)) regulate();
  };
  /** While an RPC is pending messages keep coming: the slow reader may be waiting for that response. */
  const regulate = () => {
    const pause = full.size > 0 && asked === 0;
    if (pause === paused) return;
    paused = pause;
    if (pause) carrier.pause();
    else carrier.resume();
  };

  return {
    rpc,
    rpcRaw,
    stream,
    subscribe: (prefix, listener) => {
      const entry = { prefix, listener };
      const others = [...listeners].some((other) => other.prefix === prefix);
      listeners.add(entry);
      if (!others && !failure) void rpc('event.subscribe', { topic: prefix }).catch(() => undefined);
      return () => {
        if (!listeners.delete(entry) || failure) return;
        if ([...listeners].some((other) => other.prefix === prefix)) return;
        void rpc('event.unsubscribe', { topic: prefix }).catch(() => undefined);
      };
    },
    receive: (message) => {
      if (message.type === MessageType.event) return publish(message);
      if (message.type !== MessageType.response) return;
      const waiter = waiting.get(message.matchtag);
      const last = isLast(message) || (message.flags & Flag.streaming) === 0;
      if (last) waiting.delete(message.matchtag);
      waiter?.take(message);
    },
    fail: (reason) => {
      if (failure) return;
      failure = reason;
      for (const { take } of waiting.values()) take(reason);
      waiting.clear();
      listeners.clear();
    },
  };

  function publish({ topic = '', payload }: Event): void {
    const concerned = [...listeners].filter(({ prefix }) => topic.startsWith(prefix));
    if (concerned.length === 0) return;
    let content: unknown;
    try {
      content = decodeJson(payload);
    } catch {
      // The payload of an event may be any bytes (RFC 3): one without JSON is for other subscribers.
      return;
    }
    for (const { listener } of concerned) listener(topic, content);
  }
}

/** The part before the method; empty where the topic is a bare word (flux-core src/common/librouter/disconnect.c). */
const serviceOf = (topic: string): string => topic.slice(0, Math.max(0, topic.lastIndexOf('.')));

/** A response with an error number ends its stream (RFC 6, "Streaming Responses"). */
const isLast = (response: Response | FluxError): boolean =>
  response instanceof FluxError || response.errnum !== 0;

const isEnd = (response: Response | FluxError): boolean =>
  !(response instanceof FluxError) && response.errnum === Errno.endOfStream;

/** A response, or the error that it brings, with Flux's own words. */
function succeeded(response: Response | FluxError, topic: string): Response {
  if (response instanceof FluxError) throw response;
  const { errnum, payload } = response;
  if (errnum !== 0) throw new FluxError(errnum, { topic, ...(payload && { text: decodeString(payload) }) });
  return response;
}

/** The payload of a response, JSON unless it is text. */
function resultOf(response: Response | FluxError, topic: string, text = false): unknown {
  const { payload } = succeeded(response, topic);
  if (text) return payload ? decodeString(payload) : '';
  try {
    return decodeJson(payload);
  } catch (cause) {
    throw new FluxError(Errno.protocol, { topic, text: (cause as Error).message, cause });
  }
}
