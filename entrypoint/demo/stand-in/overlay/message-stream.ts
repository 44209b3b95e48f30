/** A connection that carries RFC 3 messages: a client on the local socket, the parent, a child. */
import type { Socket } from 'node:net';
import { FluxProtocolError } from '../../../../agent/flux/errors.ts';
import { createDeframer, frame } from '../../../../agent/flux/framing.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../../agent/flux/message.ts';

export interface Link {
  /** Names the peer in the routes of requests that came from it. */
  readonly id: string;
  readonly send: (message: Message) => void;
  readonly close: () => void;
}

/** Makes a link of a socket. Bytes that are no message (a prober's) close it; `onClose` is called once. */
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
  socket.on('data', (bytes) => {
    try {
      for (const message of deframe(bytes)) onMessage(decodeMessage(message), link);
    } catch (error) {
      if (!(error instanceof FluxProtocolError)) throw error;
      socket.destroy();
    }
  });
  socket.on('error', () => undefined);
  socket.once('close', onClose);
  return link;
}
