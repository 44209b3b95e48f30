/**
 * What a parent's agent tells the agents of its children, one JSON object a line. Each is signed with a key made from the certificate,
 * which all pods of the instance have and nobody else, and with the child's nonce, so that no old line can be told again.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';

const message = z.discriminatedUnion('kind', [
  /** Which broker process this is: another one under the same address is another parent. */
  z.object({ kind: z.literal('hello'), incarnation: z.string() }),
  /** The parent was asked to stop: the instance ends. */
  z.object({ kind: z.literal('stopping'), signal: z.string() }),
  /** How the instance ended: the code of the leader's program. */
  z.object({
    kind: z.literal('outcome'),
    code: z.int().check(z.minimum(0), z.maximum(255)),
    sentence: z.string(),
  }),
]);
export type LifelineMessage = z.output<typeof message>;

/** Signs and checks with the instance's secret. */
export interface Seal {
  readonly sign: (text: string) => string;
  readonly isSigned: (text: string, signature: string) => boolean;
}

/** `secret` is the certificate's secret key; what is derived from it does not give it away (RFC 2104). */
export function createSeal(secret: string): Seal {
  const key = createHmac('sha256', secret).update('flux-pod lifeline').digest();
  const sign = (text: string) => createHmac('sha256', key).update(text).digest('hex');
  return {
    sign,
    isSigned: (text, signature) => {
      const expected = Buffer.from(sign(text));
      const given = Buffer.from(signature);
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** SIGNATURE, a space, the message as JSON, a line end. */
export function encodeLine(line: LifelineMessage, nonce: string, seal: Seal): string {
  const text = JSON.stringify(line);
  return `${seal.sign(`${nonce} ${text}`)} ${text}\n`;
}

/** The message of a line; undefined where it is none, or not signed for this nonce. */
export function decodeLine(line: string, nonce: string, seal: Seal): LifelineMessage | undefined {
  const space = line.indexOf(' ');
  const text = line.slice(space + 1);
  if (!seal.isSigned(`${nonce} ${text}`, line.slice(0, Math.max(0, space)))) return undefined;
  try {
    const result = z.safeParse(message, JSON.parse(text));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

export const lifelinePath = '/lifeline';
/** What a child sends with its request, `NONCE SIGNATURE`: only pods of the instance may hold a line. */
export const lifelineHeader = 'x-flux-pod-lifeline';
