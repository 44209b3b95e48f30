/** A follower's link to its parent. */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageType } from '../../../../agent/flux/constants.ts';
import { decodeJson, decodeString } from '../../../../agent/flux/payload.ts';
import { subtreeStatuses } from '../../../../agent/flux/services/overlay.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Log } from '../broker-state.ts';
import type { Router } from '../message-router.ts';
import { ask, ControlType, control, type Hello, type Status } from './handshake.ts';
import { type Link, openLink } from './message-stream.ts';

export interface Parent {
  /** Connects, and sends the hello. Tries for ever, as libzmq does; at once on the leader, which has no parent. */
  readonly join: (status: () => Status) => Promise<void>;
  readonly sendStatus: (status: Status) => void;
  /** Sends goodbye and closes. */
  readonly leave: () => Promise<void>;
}

/** libzmq's reconnect interval in Flux. */
const retryMs = 100;
/** How long a parent that does not answer may keep a child that leaves. */
const goodbyeMs = 500;

/** `onFail` is called when the parent does not want this broker: it is not the one of before, or holds this one for lost. */
export function createParent(
  config: BrokerConfig,
  router: Router,
  { uuid, log }: { readonly uuid: string; readonly log: Log },
  onFail: () => void,
): Parent {
  const name = config.hosts[config.tree.parentOf(config.rank) ?? 0];
  let current: Link | undefined;
  let leaving = false;
  let onGoodbye = (): void => undefined;
  let introduce = (_: boolean): Hello | undefined => undefined;

  const connectAndGreet = async (again: boolean): Promise<void> => {
    while (config.connect && !leaving) {
      const socket = await connect(config);
      if (socket && (await greet(socket, again))) return;
      await delay(retryMs);
    }
  };

  /** False where the connection ends before the parent has accepted. */
  const greet = (socket: Socket, again: boolean): Promise<boolean> =>
    new Promise((resolve) => {
      const link = openLink(
        socket,
        '',
        (message) => {
          if (message.type === MessageType.control) {
            log.crit(`${name} (rank ${config.tree.parentOf(config.rank)}) sent disconnect control message`);
            return onFail();
          }
          const topic = message.type === MessageType.response ? message.topic : undefined;
          if (topic === 'overlay.goodbye') return onGoodbye();
          if (topic !== 'overlay.hello') return current && router.receive(message, current);
          if (message.type === MessageType.response && message.errnum !== 0) {
            log.err(`overlay.hello: ${decodeString(message.payload ?? Buffer.alloc(0))}`);
            return onFail();
          }
          const { uuid } = decodeJson(message.payload) as { uuid: string };
          current = { ...link, id: uuid };
          router.setParent(current);
          resolve(true);
        },
        () => {
          resolve(false);
          if (!current) return;
          // libzmq connects again without an event for Flux: this broker goes on as if the parent were slow.
          current = undefined;
          router.setParent(undefined);
          void connectAndGreet(true);
        },
      );
      const hello = introduce(again);
      if (hello) link.send(ask('overlay.hello', hello));
    });

  return {
    join: (status) => {
      const { rank, publicKey } = config;
      introduce = (again) => ({ rank, uuid, status: status(), again, publicKey });
      return connectAndGreet(false);
    },
    sendStatus: (status) => current?.send(control(ControlType.status, subtreeStatuses.indexOf(status))),
    leave: async () => {
      leaving = true;
      const parent = current;
      if (!parent) return;
      const said = new Promise<void>((resolve) => (onGoodbye = resolve));
      parent.send(ask('overlay.goodbye'));
      await Promise.race([said, delay(goodbyeMs, undefined, { ref: false })]);
      parent.close();
    },
  };
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
