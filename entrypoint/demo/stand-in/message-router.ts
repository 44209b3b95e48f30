/**
 * Takes messages to where they belong (RFC 3, "Request Routing"): to a service of this broker, up, down, to a client; and
 * events to who subscribed. Each hop of a request is written on it, and its response goes back the same way.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import type { Tree } from '../../../agent/cluster/topology.ts';
import { type Channel, createChannel } from '../../../agent/flux/channel.ts';
import { Flag, MessageType, NodeId } from '../../../agent/flux/constants.ts';
import type { Event, Message, Request, Response } from '../../../agent/flux/message.ts';
import { decodeJson, encodeJson, type JsonObject } from '../../../agent/flux/payload.ts';
import type { Link } from './overlay/message-stream.ts';

const { ENOSYS, EHOSTUNREACH, EPROTO, ENODATA, EAGAIN } = constants.errno;

/** A request, and the ways to answer it. */
export interface Asked {
  /** Throws where it is not JSON. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly request: Request;
  readonly respond: (payload?: JsonObject | Uint8Array) => void;
  readonly fail: (errnum: number, text?: string) => void;
  /** Keeps a request for a stream; false where none was asked for. It is forgotten when it ends, is cancelled or its sender goes. */
  readonly keep: () => boolean;
}

export interface Router {
  /** This broker's own requests. */
  readonly channel: Channel;
  readonly serve: (topic: string, answer: (asked: Asked) => void) => void;
  /** Requests for a stream that were kept. */
  readonly kept: (topic: string) => Asked[];
  /** Ends the stream of the same sender that has the matchtag in the payload (RFC 6, "Cancellation"). */
  readonly cancel: (asked: Asked) => void;
  readonly receive: (message: Message, from: Link) => void;
  readonly addClient: (client: Link) => void;
  readonly setParent: (parent: Link | undefined) => void;
  readonly addChild: (rank: number, child: Link) => void;
  /** A client or child has disconnected: its requests are dropped, those to it have failed. */
  readonly remove: (link: Link) => void;
  /** Sends an event to all who subscribed, here and below. */
  readonly publish: (topic: string) => void;
}

/** What a broker answers before it is online (flux-core src/broker/modhash.c). */
const early = /^(state-machine|attr)\.get$/;

export interface RouterOptions {
  readonly rank: number;
  readonly size: number;
  readonly tree: Tree;
  readonly isOnline: () => boolean;
}

export function createRouter({ rank, size, tree, isOnline }: RouterOptions): Router {
  const services = new Map<string, (asked: Asked) => void>();
  const kept = new Map<string, { topic: string; asked: Asked }>();
  const links = new Map<string, Link>();
  const clients = new Map<Link, Set<string>>();
  const children = new Map<number, Link>();
  const pending = new Map<Link, Map<string, Request>>();
  let parent: Link | undefined;
  let sequence = 0;

  const self: Link = {
    id: randomUUID(),
    send: (message) => channel.receive(message),
    close: () => undefined,
  };
  const channel = createChannel({
    // Later, as over a socket: who asks has first to wait.
    send: (message) => queueMicrotask(() => router.receive(message, self)),
    pause: () => undefined,
    resume: () => undefined,
  });
  links.set(self.id, self);

  const keyOf = ({ routes = [], matchtag }: Request | Response) => `${routes.join('|')} ${matchtag}`;
  const senderOf = ({ routes = [] }: Request) => routes.at(-1);

  const answer = (request: Request, errnum: number, payload?: Uint8Array) => {
    if (errnum !== 0) kept.delete(keyOf(request));
    if (request.flags & Flag.noResponse) return;
    const { routes, topic, matchtag, flags } = request;
    respond({
      type: MessageType.response,
      flags: flags & Flag.streaming,
      userid: request.userid,
      rolemask: request.rolemask,
      errnum,
      matchtag,
      routes: routes ?? [],
      ...(topic !== undefined && { topic }),
      ...(payload && { payload }),
    });
  };
  const fail = (request: Request, errnum: number, text?: string) =>
    answer(request, errnum, text === undefined ? undefined : Buffer.from(`${text}\0`));

  /** Sends a response one hop back. */
  const respond = (response: Response) => {
    const [hop = '', ...routes] = response.routes ?? [];
    links.get(hop)?.send({ ...response, routes });
  };

  /** To no peer while the parent is away: a request waits for ever, as libzmq has it wait for the connection. */
  const forward = (request: Request, link: Link | undefined) => {
    if (!link) return;
    if (!(request.flags & Flag.noResponse)) pending.get(link)?.set(keyOf(request), request);
    link.send(request);
  };

  const route = (request: Request) => {
    const { nodeid, flags, topic = '' } = request;
    if (flags & Flag.upstream)
      return forward({ ...request, flags: flags & ~Flag.upstream, nodeid: NodeId.any }, parent);
    const here = nodeid === rank || (nodeid === NodeId.any && (serves(topic) || rank === 0));
    if (here) return serve(request);
    if (nodeid === NodeId.any) return forward(request, parent);
    if (nodeid >= size) return fail(request, EHOSTUNREACH);
    const below = childTowards(nodeid);
    if (below === undefined) return forward(request, parent);
    const child = children.get(below);
    return child ? forward(request, child) : fail(request, EHOSTUNREACH);
  };

  const childTowards = (target: number): number | undefined => {
    let hop = target;
    for (let above = tree.parentOf(hop); above !== undefined; above = tree.parentOf(hop)) {
      if (above === rank) return hop;
      hop = above;
    }
    return undefined;
  };

  const serviceOf = (topic: string) => topic.replace(/\.[^.]*$/, '');
  const serves = (topic: string) =>
    [...services.keys()].some((known) => serviceOf(known) === serviceOf(topic));

  const serve = (request: Request) => {
    const { topic = '' } = request;
    if (topic.endsWith('.disconnect'))
      return forget(
        (asked) =>
          serviceOf(asked.topic) === serviceOf(topic) && senderOf(asked.asked.request) === senderOf(request),
      );
    const service = services.get(topic);
    if (!service)
      return fail(
        request,
        ENOSYS,
        serves(topic) ? `Unknown service method '${topic}'` : `No service matching ${topic} is registered`,
      );
    try {
      service(askedBy(request));
    } catch {
      // Not what the service takes; Flux answers no more either.
      fail(request, EPROTO);
    }
  };

  const askedBy = (request: Request): Asked => {
    let payload: Asked['payload'] | undefined;
    const asked: Asked = {
      get payload() {
        payload ??= decodeJson(request.payload) as Asked['payload'];
        return payload;
      },
      request,
      respond: (result) =>
        answer(request, 0, result instanceof Uint8Array ? result : result && encodeJson(result)),
      fail: (errnum, text) => fail(request, errnum, text),
      keep: () => {
        const streaming = (request.flags & Flag.streaming) !== 0;
        if (streaming) kept.set(keyOf(request), { topic: request.topic ?? '', asked });
        return streaming;
      },
    };
    return asked;
  };

  const forget = (which: (one: { topic: string; asked: Asked }) => boolean) => {
    for (const [key, one] of kept) if (which(one)) kept.delete(key);
  };

  /** What a client asked is forgotten here and where it was sent. */
  const disconnect = (client: Link) => {
    forget(({ asked }) => senderOf(asked.request) === client.id);
    for (const [link, waiting] of pending) {
      for (const [key, request] of waiting) {
        if (senderOf(request) !== client.id) continue;
        waiting.delete(key);
        const { payload: _, ...rest } = request;
        link.send({ ...rest, topic: `${serviceOf(request.topic ?? '')}.disconnect`, flags: Flag.noResponse });
      }
    }
  };

  const subscribe = (request: Request, client: Link) => {
    const { topic } = decodeJson(request.payload) as { topic: string };
    if (request.topic === 'event.subscribe') clients.get(client)?.add(topic);
    else clients.get(client)?.delete(topic);
    answer({ ...request, routes: [client.id] }, 0);
  };

  const publish = (event: Event) => {
    for (const [client, prefixes] of clients)
      if ([...prefixes].some((prefix) => event.topic?.startsWith(prefix))) client.send(event);
    for (const child of children.values()) child.send(event);
  };

  const router: Router = {
    channel,
    serve: (topic, service) => void services.set(topic, service),
    kept: (topic) => [...kept.values()].filter((one) => one.topic === topic).map(({ asked }) => asked),
    cancel: ({ payload, request }) => {
      for (const { asked } of kept.values()) {
        const same = senderOf(asked.request) === senderOf(request);
        if (same && asked.request.matchtag === payload.matchtag) asked.fail(ENODATA);
      }
    },
    receive: (message, from) => {
      if (message.type === MessageType.event) return from === parent ? publish(message) : undefined;
      if (message.type === MessageType.response) {
        if (message.errnum !== 0 || !(message.flags & Flag.streaming))
          pending.get(from)?.delete(keyOf(message));
        return respond(message);
      }
      if (message.type !== MessageType.request) return;
      const request = { ...message, routes: [from.id, ...(message.routes ?? [])] };
      if (!clients.has(from)) return route(request);
      if (/^event\.(un)?subscribe$/.test(message.topic ?? '')) return subscribe(message, from);
      if (!isOnline() && !early.test(message.topic ?? ''))
        return fail(request, EAGAIN, 'Upstream Flux broker is offline. Try again later.');
      route({ ...request, userid: process.getuid?.() ?? 0, rolemask: 1 });
    },
    addClient: (client) => {
      clients.set(client, new Set());
      links.set(client.id, client);
    },
    setParent: (link) => {
      if (parent) links.delete(parent.id);
      parent = link;
      if (link) links.set(link.id, link);
      if (link) pending.set(link, new Map());
    },
    addChild: (child, link) => {
      children.set(child, link);
      links.set(link.id, link);
      pending.set(link, new Map());
    },
    remove: (link) => {
      links.delete(link.id);
      if (clients.delete(link)) return disconnect(link);
      for (const [child, other] of children) if (other === link) children.delete(child);
      for (const request of pending.get(link)?.values() ?? []) fail(request, EHOSTUNREACH);
      pending.delete(link);
      forget(({ asked }) => asked.request.routes?.[0] === link.id);
    },
    publish: (topic) =>
      publish({ type: MessageType.event, flags: 0, userid: 0, rolemask: 1, sequence: sequence++, topic }),
  };
  return router;
}
