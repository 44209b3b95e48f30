/**
 * Z85, ZeroMQ's printable form of binary keys: five characters for four bytes, big-endian, base 85.
 * https://rfc.zeromq.org/spec/32/
 */
const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const valueOfCharacter = new Map([...alphabet].map((character, value) => [character, value]));

/** Encodes bytes, whose number must be a multiple of four. Throws a RangeError otherwise. */
export function encodeZ85(bytes: Uint8Array): string {
  if (bytes.length % 4 !== 0)
    throw new RangeError(`Cannot encode ${bytes.length} bytes in Z85: not a multiple of 4`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let offset = 0; offset < bytes.length; offset += 4) {
    const word = view.getUint32(offset);
    for (const place of places) text += alphabet[Math.floor(word / place) % 85];
  }
  return text;
}

const places = [85 ** 4, 85 ** 3, 85 ** 2, 85, 1];

/**
 * Decodes Z85 text. Returns undefined where it is none: a length that is no multiple of five, a character outside the
 * alphabet, or a group beyond 32 bits. It does not throw, because the text may be a secret.
 */
export function decodeZ85(text: string): Uint8Array | undefined {
  if (text.length % 5 !== 0) return undefined;
  const view = new DataView(new ArrayBuffer((text.length / 5) * 4));
  for (let group = 0; group * 5 < text.length; group++) {
    let word = 0;
    for (const character of text.slice(group * 5, group * 5 + 5)) {
      const value = valueOfCharacter.get(character);
      if (value === undefined) return undefined;
      word = word * 85 + value;
    }
    if (word > 0xffffffff) return undefined;
    view.setUint32(group * 4, word);
  }
  return new Uint8Array(view.buffer);
}
