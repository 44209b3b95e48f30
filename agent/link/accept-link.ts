/**
 * The agent's end of a link: one open response. A peer has a link once it has answered a challenge of this connection: a replayed request
 * opens none and replaces none, without a list of earlier requests. Until then the connection has the limits of every other client.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Hold } from '../http/connection-limits.ts';
import type { LinkName, Signer } from './key.ts';
import { encodeLine, isProof, linkHeader, type Message, proofLength, readRequest } from './protocol.ts';

export interface AcceptedLink {
  readonly nonce: string;
  readonly signer: Signer;
  /** Breaks the link where the peer has left too much of the earlier ones unread. */
  readonly send: (message: Message) => void;
  readonly close: () => void;
}

/** What accepts links of one role. */
export interface LinkHost {
  readonly rank: number;
  /** Of this role; undefined while no links are accepted. */
  readonly key: Buffer | undefined;
  /** The broker process of this pod. */
  readonly incarnation: string;
  /** Whether there is such a peer. */
  readonly admits: (peer: string) => boolean;
  /** The peer has a link. Its connection has no limits of time from here on, so their number needs one. */
  readonly onOpen: (peer: string, link: AcceptedLink) => void;
  /** A link that was open, or was never opened. */
  readonly onClose: (peer: string, link: AcceptedLink) => void;
}

/** How often the kernel probes a silent peer's connection. */
const keepAliveMs = 10_000;
/** A peer answers the challenge when it has received it. */
const proveWithinMs = 5000;
/** Bytes that a peer may leave unread beside what the kernel takes. */
const mostUnread = 64 * 1024;

/** Answers a request for a link: 503 while none are accepted, 403 where the peer is none. */
export function acceptLink(
  request: IncomingMessage,
  response: ServerResponse,
  hold: Hold,
  { rank, key, incarnation, admits, onOpen, onClose }: LinkHost,
): void {
  if (!key) return void refuse(response, 503);
  const asked = readRequest(request.headers[linkHeader], key);
  if (!asked || asked.rank !== rank || !admits(asked.peer)) return void refuse(response, 403);
  const { peer, signer } = asked;
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.socket?.setKeepAlive(true, keepAliveMs);
  response.socket?.setNoDelay(true);
  const link = createLink(response, asked, incarnation);
  challenge(request, response, link, signer, () => {
    hold();
    onOpen(peer, link);
  });
  response.once('close', () => onClose(peer, link));
}

function createLink(
  response: ServerResponse,
  { nonce, signer }: Pick<LinkName, 'nonce'> & { readonly signer: Signer },
  incarnation: string,
): AcceptedLink {
  let position = 0;
  return {
    nonce,
    signer,
    send: (message) => {
      if (response.writableLength > mostUnread) return void response.destroy();
      response.write(encodeLine({ incarnation, message }, position++, signer));
    },
    close: () => void response.destroy(),
  };
}

/** Sends the hello, and calls `onProof` when the request's body answers its challenge; else the connection is closed. */
function challenge(
  request: IncomingMessage,
  response: ServerResponse,
  link: AcceptedLink,
  signer: Signer,
  onProof: () => void,
): void {
  const challenge = randomBytes(16).toString('hex');
  const deadline = setTimeout(link.close, proveWithinMs);
  response.once('close', () => clearTimeout(deadline));
  let body = '';
  request.setEncoding('latin1');
  request.on('error', () => undefined);
  request.on('data', (text: string) => {
    body += text;
    if (body.length > proofLength) link.close();
  });
  request.once('end', () => {
    clearTimeout(deadline);
    if (!response.destroyed && isProof(body, challenge, signer)) onProof();
    else link.close();
  });
  link.send({ kind: 'hello', challenge });
}

/** The connection closes with the answer: what is left of the request is not read. */
export function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0, connection: 'close' });
  response.end();
}
