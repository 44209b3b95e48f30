/** The brokers below this one: their links, and overlay.health, which reports their state. */
import { createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { MessageType } from '../../../../agent/flux/constants.ts';
import type { Message } from '../../../../agent/flux/message.ts';
import { decodeJson, type JsonObject } from '../../../../agent/flux/payload.ts';
import { subtreeStatuses } from '../../../../agent/flux/services/overlay.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Log } from '../broker-state.ts';
import type { Router } from '../message-router.ts';
import { answer, ControlType, control, type Hello, type Status } from './handshake.ts';
import { type Link, openLink } from './message-stream.ts';

export interface Children {
  /** False when the port is taken, which has been said. */
  readonly listen: () => Promise<boolean>;
  /** Of the subtree whose root this broker is. */
  readonly status: () => Status;
  readonly online: () => number;
  /** Fulfilled when all have left. */
  readonly allLeft: () => Promise<void>;
  /** Lets no new ones in. */
  readonly spurn: () => void;
  readonly close: () => void;
}

export interface ChildrenOptions {
  readonly uuid: string;
  readonly log: Log;
  readonly onStatus: (status: Status) => void;
  /** A child has left, and with it all that is below. */
  readonly onLoss: (rank: number) => void;
}

interface Child {
  readonly rank: number;
  link?: Link | undefined;
  status: Status;
  since: number;
  error: string;
}

export function createChildren(
  config: BrokerConfig,
  router: Router,
  { uuid, log, onStatus, onLoss }: ChildrenOptions,
): Children {
  const started = performance.now();
  const children = config.tree
    .childrenOf(config.rank)
    .map((rank): Child => ({ rank, status: 'offline', since: started, error: '' }));
  const own: { status: Status; since: number } = { status: statusOf(children), since: started };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => accept(socket));
  let spurned = false;
  let onAllLeft = () => undefined as unknown;

  const online = () => children.filter(({ link }) => link).length;
  const health = (): JsonObject => ({
    rank: config.rank,
    status: own.status,
    duration: secondsSince(own.since),
    children: children.map(({ rank, status, since, error, link }) => ({
      rank,
      status,
      duration: secondsSince(since),
      ...(!link && error !== '' && { error }),
    })),
  });
  router.serve('overlay.health', ({ respond, keep }) => {
    keep();
    respond(health());
  });

  const update = (child: Child, status: Status, error = '') => {
    child.error = error;
    if (child.status === status) return;
    Object.assign(child, { status, since: performance.now() });
    const whole = statusOf(children);
    if (whole !== own.status) {
      Object.assign(own, { status: whole, since: performance.now() });
      onStatus(whole);
    }
    for (const { respond } of router.kept('overlay.health')) respond(health());
  };

  const lose = (child: Child, status: Status, error: string) => {
    const { link } = child;
    if (!link) return;
    child.link = undefined;
    update(child, status, error);
    router.remove(link);
    onLoss(child.rank);
    if (online() === 0) onAllLeft();
  };

  const accept = (socket: Socket) => {
    let child: Child | undefined;
    sockets.add(socket);
    openLink(
      socket,
      '',
      (message, link) => {
        if (!child) child = greet(message, link);
        else if (message.type === MessageType.control)
          update(child, subtreeStatuses[message.status] ?? 'unknown');
        else if (message.type === MessageType.request && message.topic === 'overlay.goodbye') {
          link.send(answer(message, { payload: {} }));
          lose(child, 'offline', 'administrative shutdown');
        } else if (child.link) router.receive(message, child.link);
      },
      () => {
        sockets.delete(socket);
        if (child) lose(child, 'lost', 'lost connection');
      },
    );
  };

  /** No peer is served before its hello. */
  const greet = (message: Message, link: Link): Child | undefined => {
    if (message.type !== MessageType.request || message.topic !== 'overlay.hello') {
      link.close();
      return undefined;
    }
    const hello = decodeJson(message.payload) as Hello;
    const child = children.find(({ rank }) => rank === hello.rank);
    const refuse = (text: string) => link.send(answer(message, { errnum: constants.errno.EINVAL, text }));
    if (hello.publicKey !== config.publicKey) link.close();
    else if (hello.again || spurned) link.send(control(ControlType.disconnect));
    else if (!child) refuse(`rank ${hello.rank} is not a child of rank ${config.rank}: mismatched config?`);
    else {
      // A process that ended without a word may be replaced before its connection is known to be dead.
      lose(child, 'lost', 'lost connection');
      child.link = { ...link, id: hello.uuid };
      router.addChild(child.rank, child.link);
      link.send(answer(message, { payload: { uuid } }));
      update(child, hello.status);
      return child;
    }
    return undefined;
  };

  return {
    listen: () =>
      new Promise((resolve) => {
        if (!config.bind) return resolve(true);
        server.once('error', (error) => {
          log.err(`error binding to tcp://${config.bind?.host}:${config.bind?.port}: ${error.message}`);
          resolve(false);
        });
        server.listen({ ...config.bind, exclusive: true }, () => resolve(true));
      }),
    status: () => own.status,
    online,
    allLeft: () =>
      online() === 0 ? Promise.resolve() : new Promise((resolve) => (onAllLeft = () => resolve())),
    spurn: () => {
      spurned = true;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const secondsSince = (time: number): number => (performance.now() - time) / 1000;

function statusOf(children: readonly Child[]): Status {
  if (children.some(({ status }) => status === 'degraded' || status === 'lost')) return 'degraded';
  return children.every(({ status }) => status === 'full') ? 'full' : 'partial';
}
