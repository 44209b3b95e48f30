/**
 * The protocol of a parent link. Every message is signed by the link's signer (key.ts), so that none is valid on another link.
 *
 *     child  -> parent   POST /parent-link, header `x-flux-pod-parent-link: CHILD PARENT NONCE MAC`
 *     parent -> child    200, and lines `MAC {"incarnation": ..., "message": {...}}`, the first of them a hello with a challenge
 *     child  -> parent   the request's body: the MAC of the challenge, which no earlier message contains
 *
 * A line's MAC covers its position in the link: a line that is replayed, left out or moved makes the next one invalid. Pods of one instance run
 * one image, so that both ends always speak the same version.
 */
import * as z from 'zod/mini';
import { type LinkName, linkSigner, type Signer } from './key.ts';

const message = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('hello'), challenge: z.string() }),
  /** The parent stops: the instance ends. */
  z.object({ kind: z.literal('stopping'), signal: z.string() }),
  /** How the instance ended: the exit code of the leader's program. */
  z.object({
    kind: z.literal('outcome'),
    code: z.int().check(z.minimum(0), z.maximum(255)),
    sentence: z.string(),
  }),
]);
type Message = z.output<typeof message>;
export type Announcement = Exclude<Message, { kind: 'hello' }>;

/** `incarnation` is the parent's broker process: another one at the same address is another parent. */
const line = z.object({ incarnation: z.string(), message });
export type Line = z.output<typeof line>;

export const linkPath = '/parent-link';
export const linkHeader = 'x-flux-pod-parent-link';
/** Characters of the longest line, and of the proof. */
export const longestLine = 4096;
export const proofLength = 64;

export const signRequest = ({ parent, child, nonce }: LinkName, signer: Signer): string =>
  `${child} ${parent} ${nonce} ${signer.sign('request')}`;

/** The link of a request, with its signer; undefined where the header is not signed with this key. */
export function readRequest(header: unknown, key: Buffer): (LinkName & { signer: Signer }) | undefined {
  const [, child, parent, nonce, mac] =
    /^(\d{1,7}) (\d{1,7}) ([0-9a-f]{32}) ([0-9a-f]{64})$/.exec(String(header)) ?? [];
  if (nonce === undefined || mac === undefined) return undefined;
  const name = { parent: Number(parent), child: Number(child), nonce };
  const signer = linkSigner(key, name);
  return signer.isSigned(mac, 'request') ? { ...name, signer } : undefined;
}

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
