/** The tree of stand-in brokers: one TCP link to the parent, one from each child. */
import { createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerConfig } from './config.ts';
import { type Link, type Message, openLink } from './wire.ts';

export interface Overlay {
  /** False when the port is taken, which has been said. */
  readonly listen: () => Promise<boolean>;
  /** Connects to the parent; tries for ever, as libzmq does. */
  readonly join: () => Promise<undefined>;
  readonly up: (message: Message) => void;
  /** To the child that leads to the task's rank. */
  readonly down: (message: Extract<Message, { type: 'task' }>) => void;
  readonly broadcast: (message: Message) => void;
  readonly childrenGone: () => Promise<void>;
  readonly close: () => void;
}

/** libzmq's reconnect interval in Flux. */
const retryMs = 100;

export function createOverlay(
  config: BrokerConfig,
  handle: (message: Message) => void,
  onParentLost: () => void,
  fail: (text: string) => void,
): Overlay {
  const children = new Map<number, Link>();
  const latest = new Map<'run' | 'shutdown', Message>();
  const server = createServer((socket) => acceptChild(socket));
  let parent: Link | undefined;
  let leaving = false;
  let onChildGone = () => undefined as unknown;

  const routeTo = (rank: number): Link | undefined => {
    let hop = rank;
    for (let above = config.tree.parentOf(hop); above !== config.rank; above = config.tree.parentOf(hop)) {
      if (above === undefined) return undefined;
      hop = above;
    }
    return children.get(hop);
  };
  const overlay: Overlay = {
    listen: () =>
      new Promise((resolve) => {
        if (!config.bind) return resolve(true);
        server.once('error', (error) => {
          fail(`error binding to tcp://${config.bind?.host}:${config.bind?.port}: ${error.message}`);
          resolve(false);
        });
        server.listen({ ...config.bind, exclusive: true }, () => resolve(true));
      }),
    join: async () => {
      while (config.connect && !parent && !leaving) {
        const socket = await connect(config);
        if (socket) parent = greet(socket);
        else await delay(retryMs);
      }
      return undefined;
    },
    up: (message) => parent?.send(message),
    down: (message) => routeTo(message.rank)?.send(message),
    broadcast: (message) => {
      if (message.type === 'run' || message.type === 'shutdown') latest.set(message.type, message);
      for (const child of children.values()) child.send(message);
    },
    childrenGone: async () => {
      while (children.size > 0) await new Promise((resolve) => (onChildGone = () => resolve(undefined)));
    },
    close: () => {
      leaving = true;
      server.close();
      parent?.close();
    },
  };
  return overlay;

  function greet(socket: Socket): Link {
    const link = openLink(
      socket,
      (message) => {
        if (message.type === 'task' && message.rank !== config.rank) return overlay.down(message);
        handle(message);
      },
      () => {
        if (!leaving) onParentLost();
      },
    );
    link.send({ type: 'hello', rank: config.rank, publicKey: config.publicKey });
    return link;
  }

  function acceptChild(socket: Socket): void {
    let rank: number | undefined;
    openLink(
      socket,
      (message, link) => {
        if (message.type === 'hello') {
          if (message.publicKey !== config.publicKey || config.tree.parentOf(message.rank) !== config.rank)
            return link.close();
          rank = message.rank;
          children.set(rank, link);
          for (const missed of latest.values()) link.send(missed);
        } else if (rank !== undefined) pass(message);
      },
      () => {
        if (rank === undefined) return;
        children.delete(rank);
        pass({ type: 'offline', rank });
        onChildGone();
      },
    );
  }

  /** The leader acts on what comes from below; all others hand it up. */
  function pass(message: Message): void {
    if (config.rank === 0) handle(message);
    else overlay.up(message);
  }
}

function connect({ connect: target, connectTimeoutMs }: BrokerConfig): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    if (!target) return resolve(undefined);
    const socket = createConnection({ host: target.host, port: target.port, timeout: connectTimeoutMs });
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('error', giveUp).once('timeout', giveUp);
    socket.once('connect', () => {
      socket.off('error', giveUp).setTimeout(0);
      resolve(socket);
    });
  });
}
