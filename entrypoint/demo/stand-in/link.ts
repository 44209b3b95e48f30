/** A connection that carries RFC 3 messages: a client on the local socket, the parent, a child. */
import type { Socket } from 'node:net';
import { createDeframer, frame } from '../../../agent/flux/framing.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../agent/flux/message.ts';

export interface Link {
  /** Names the peer in the routes of requests that came from it. */
  readonly id: string;
  readonly send: (message: Message) => void;
  readonly close: () => void;
}

/** Makes a link of a socket. What is no message (a prober that says something else) ends it; `onClose` is called once. */
export function openLink(
  socket: Socket,
  id: string,
  onMessage: (message: Message, link: Link) => void,
  onClose: () => void,
): Link {
  const deframe = createDeframer();
  const link: Link = {
    id,
    send: (message) => void (socket.writable && socket.write(frame(encodeMessage(message)))),
    close: () => void socket.end(),
  };
  const read = (bytes: Buffer): Message[] | undefined => {
    try {
      return deframe(bytes).map(decodeMessage);
    } catch {
      socket.destroy();
      return undefined;
    }
  };
  socket.on('data', (bytes) => {
    for (const message of read(bytes) ?? []) onMessage(message, link);
  });
  socket.on('error', () => undefined);
  socket.once('close', onClose);
  return link;
}
