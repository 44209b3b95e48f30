/**
 * RFC 3 once more, written apart from agent/flux and straight from the specification's grammar, so that a mistake there is not
 * repeated here: an encoder that is given every field and every part, right or wrong.
 */

export interface RawMessage {
  readonly type: number;
  readonly flags: number;
  readonly userid?: number;
  readonly rolemask?: number;
  /** nodeid, errnum, sequence, or the type of a control message. */
  readonly first?: number;
  /** matchtag, unused, or the status of a control message. */
  readonly second?: number;
  /** What stands before PROTO: routes, delimiter, topic, payload. */
  readonly parts: readonly (string | Uint8Array)[];
}

const word = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);

const part = (content: string | Uint8Array) => {
  const bytes = [...Buffer.from(content)];
  return bytes.length <= 254 ? [bytes.length, ...bytes] : [255, ...word(bytes.length), ...bytes];
};

export function encodeRaw(raw: RawMessage): Buffer {
  const { type, flags, userid = 0xffffffff, rolemask = 0, first = 0, second = 0, parts } = raw;
  const proto = [0x8e, 1, type, flags, ...word(userid), ...word(rolemask), ...word(first), ...word(second)];
  return Buffer.from([...parts.flatMap(part), ...part(Uint8Array.from(proto))]);
}

/** The framing of a local socket, as a little-endian machine writes it. */
export const frameRaw = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0x12, 0x00, 0xee, 0xff, ...word(message.length)]), message]);
