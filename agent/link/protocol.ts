/**
 * The protocol of a link to an agent: a child's to its parent (../parent-link/), or a controller's to the leader (../controller-link/). Each
 * role has a path, a key and messages of its own. Every message is signed by the link's signer (key.ts), so that none is valid on another
 * link.
 *
 *     peer  -> agent   POST PATH, header `x-flux-pod-link: PEER RANK NONCE MAC`
 *     agent -> peer    200, and lines `MAC {"incarnation": ..., "message": {...}}`, the first of them a hello with a challenge
 *     peer  -> agent   the request's body: the MAC of the challenge, which no earlier message contains
 *
 * A line's MAC covers its position in the link: a line that is replayed, left out or moved makes the next one invalid.
 *
 * Node.js gives a request's body no longer than `requestTimeout`, so it cannot stay open. What the peer has to say later is a further request
 * that names an open link:
 *
 *     peer  -> agent   POST PATH, header `x-flux-pod-message: PEER NONCE POSITION MAC`, and the body `{...}`
 *     agent -> peer    204 and the same header with the MAC of the answer, where the message is accepted
 *
 * This MAC covers the position and the body, with a label of its own. A position must be greater than all that were accepted: a request that
 * is replayed, or overtaken by a later one, is refused. One that is lost is missed by nothing, since each message says all of what it wants.
 */
import * as z from 'zod/mini';
import { type LinkName, linkSigner, type Signer } from './key.ts';

const message = z.looseObject({ kind: z.string() });
export type Message = z.output<typeof message>;
/** `incarnation` is the agent's broker process: another one at the same address is another peer. */
const line = z.object({ incarnation: z.string(), message });
export type Line = z.output<typeof line>;

/** The first message of each link. */
export const hello = z.object({ kind: z.literal('hello'), challenge: z.string() });

export const linkHeader = 'x-flux-pod-link';
/** Characters of the longest line, and of the proof. */
export const longestLine = 4096;
export const proofLength = 64;

export const signRequest = ({ rank, peer, nonce }: LinkName, signer: Signer): string =>
  `${peer} ${rank} ${nonce} ${signer.sign('request')}`;

/** The link of a request, with its signer; undefined where the header is not signed with this key. */
export function readRequest(header: unknown, key: Buffer): (LinkName & { signer: Signer }) | undefined {
  const [, peer, rank, nonce, mac] =
    /^([\w.-]{1,128}) (\d{1,7}) ([0-9a-f]{32}) ([0-9a-f]{64})$/.exec(String(header)) ?? [];
  if (peer === undefined || nonce === undefined || mac === undefined) return undefined;
  const name = { rank: Number(rank), peer, nonce };
  const signer = linkSigner(key, name);
  return signer.isSigned(mac, 'request') ? { ...name, signer } : undefined;
}

export const messageHeader = 'x-flux-pod-message';
/** Bytes of the longest message of a peer. */
export const longestMessage = 1024;

/** The link that a message is for, and its place there. Whether it is signed is known with its text. */
export interface MessageName {
  readonly peer: string;
  readonly nonce: string;
  readonly position: number;
  readonly mac: string;
}

export const signMessage = (
  { peer, nonce }: Pick<LinkName, 'peer' | 'nonce'>,
  position: number,
  text: string,
  signer: Signer,
): string => `${peer} ${nonce} ${position} ${signer.sign('message', position, text)}`;

/** Undefined where the header has another form. */
export function readMessageName(header: unknown): MessageName | undefined {
  const [, peer, nonce, position, mac] =
    /^([\w.-]{1,128}) ([0-9a-f]{32}) (\d{1,9}) ([0-9a-f]{64})$/.exec(String(header)) ?? [];
  if (peer === undefined || nonce === undefined || mac === undefined) return undefined;
  return { peer, nonce, position: Number(position), mac };
}

export const isMessage = ({ position, mac }: MessageName, text: string, signer: Signer): boolean =>
  signer.isSigned(mac, 'message', position, text);

/** Undefined where the text is no message. */
export function parseMessage(text: string): Message | undefined {
  try {
    const result = z.safeParse(message, JSON.parse(text));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

export const signAcceptance = (position: number, signer: Signer): string => signer.sign('accepted', position);

export const isAcceptance = (mac: unknown, position: number, signer: Signer): boolean =>
  signer.isSigned(String(mac), 'accepted', position);

export const signProof = (challenge: string, signer: Signer): string => signer.sign('proof', challenge);

export const isProof = (mac: string, challenge: string, signer: Signer): boolean =>
  signer.isSigned(mac, 'proof', challenge);

export function encodeLine(content: Line, position: number, signer: Signer): string {
  const text = JSON.stringify(content);
  return `${signer.sign('line', position, text)} ${text}\n`;
}

/** The content of a line, without its line end; undefined where it was not signed for this position of this link. */
export function decodeLine(text: string, position: number, signer: Signer): Line | undefined {
  const space = text.indexOf(' ');
  const json = text.slice(space + 1);
  if (!signer.isSigned(text.slice(0, Math.max(0, space)), 'line', position, json)) return undefined;
  try {
    const result = z.safeParse(line, JSON.parse(json));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
