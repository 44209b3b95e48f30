/**
 * The agent's end of a peer's requests: one message each, for a link that is open. What is not signed by that link's signer, or was accepted
 * before, changes nothing and costs no more than a MAC over a kibibyte.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRateLimit } from '../http/rate-limit.ts';
import { type AcceptedLink, refuse } from './accept-link.ts';
import {
  isMessage,
  longestMessage,
  type Message,
  messageHeader,
  parseMessage,
  readMessageName,
  signAcceptance,
} from './protocol.ts';

/** Messages that a peer may send: more of them would only take the broker's time. */
const messagesPerSecond = 2;
const mostMessagesAtOnce = 20;

export interface MessageHost {
  /** The open link of the peer. */
  readonly linkOf: (peer: string) => AcceptedLink | undefined;
  /** False for a message that this role does not have. */
  readonly onMessage: (message: Message) => boolean;
  /** Milliseconds. */
  readonly now?: () => number;
}

/**
 * Answers requests with messages: 204 where one is accepted; 409 where the link that it names is not open, 403 where that has not signed it, 413,
 * 422 and 429. A message comes over a connection of its own, and may be here before the proof that opens its link: 409 is no refusal.
 */
export function createMessages({ linkOf, onMessage, now }: MessageHost) {
  /** The last position of each link. */
  const positions = new WeakMap<AcceptedLink, number>();
  const rate = createRateLimit(messagesPerSecond, mostMessagesAtOnce, now);

  return (request: IncomingMessage, response: ServerResponse): void => {
    const name = readMessageName(request.headers[messageHeader]);
    if (!name) return void refuse(response, 403);
    const open = linkOf(name.peer);
    if (!open || open.nonce !== name.nonce) return void refuse(response, 409);
    let body = Buffer.alloc(0);
    request.on('error', () => undefined);
    request.on('data', (piece: Buffer) => {
      if (response.headersSent) return;
      body = Buffer.concat([body, piece]);
      if (body.length > longestMessage) refuse(response, 413);
    });
    request.once('end', () => {
      if (response.headersSent) return;
      const text = body.toString();
      // The link may have been closed, or replaced, meanwhile.
      if (linkOf(name.peer) !== open) return void refuse(response, 409);
      if (!isMessage(name, text, open.signer)) return void refuse(response, 403);
      if (name.position <= (positions.get(open) ?? -1)) return void refuse(response, 403);
      positions.set(open, name.position);
      if (rate.take(name.peer) > 0) return void refuse(response, 429);
      const message = parseMessage(text);
      if (!message || !onMessage(message)) return void refuse(response, 422);
      response.writeHead(204, { [messageHeader]: signAcceptance(name.position, open.signer) }).end();
    });
  };
}
