/** The peer's end of its requests: messages for a link that it has opened. */
import { request } from 'node:http';
import type { HostPort } from '../address.ts';
import type { LinkName, Signer } from './key.ts';
import { isAcceptance, type Message, messageHeader, signMessage } from './protocol.ts';

/** `refused`: not accepted, and would not be again. `unavailable`: it is not known whether it was accepted. */
export type Answer = 'accepted' | 'refused' | 'unavailable';

export interface MessageRoute {
  readonly address: HostPort;
  readonly path: string;
  readonly name: Pick<LinkName, 'peer' | 'nonce'>;
  readonly signer: Signer;
  readonly signal: AbortSignal;
  /** Of one request, from the connection to the answer. Milliseconds. */
  readonly answerMs: number;
}

/** Sends messages one after the other, since one that is overtaken would be refused. */
export function createSender(route: MessageRoute): (message: Message) => Promise<Answer> {
  let position = 0;
  let last: Promise<unknown> = Promise.resolve();
  return (message) => {
    const answer = last.then(() => send(route, message, position++));
    last = answer;
    return answer;
  };
}

/** Every ending of connection, request and response settles the promise. */
function send(route: MessageRoute, message: Message, position: number): Promise<Answer> {
  const { address, path, name, signer, signal, answerMs } = route;
  const text = JSON.stringify(message);
  return new Promise((resolve) => {
    const ask = request({
      ...address,
      method: 'POST',
      path,
      agent: false,
      headers: {
        [messageHeader]: signMessage(name, position, text, signer),
        'content-length': Buffer.byteLength(text),
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    ask.on('error', () => undefined);
    ask.once('close', () => resolve('unavailable'));
    ask.once('upgrade', (_, socket) => socket.destroy());
    ask.once('response', ({ statusCode = 0, headers }) => {
      if (statusCode === 204 && isAcceptance(headers[messageHeader], position, signer)) resolve('accepted');
      else resolve([403, 404, 413, 422].includes(statusCode) ? 'refused' : 'unavailable');
      ask.destroy();
    });
    ask.end(text);
  });
}
