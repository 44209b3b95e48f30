/**
 * Messages on a local stream socket: a magic word in the machine's own byte order, the length of what follows in network
 * order, the encoded message. (flux-core src/common/librouter/sendfd.c)
 */
import { endianness } from 'node:os';
import { Flag, MessageType, proto } from './constants.ts';
import { Errno, FluxProtocolError } from './errors.ts';

const magic = Buffer.from(endianness() === 'LE' ? [0x12, 0x00, 0xee, 0xff] : [0xff, 0xee, 0x00, 0x12]);
const headerBytes = 8;
/** The memory of a longer message grows as it arrives, and is freed once it is read. */
const longFrom = 256 * 1024;
const firstBytes = 64 * 1024;

/** Flux itself has no limit. */
export const longestMessage = 64 * 1024 * 1024;
/** PROTO after its length, the end of every message (RFC 3): it has the matchtag. */
const endBytes = 1 + proto.bytes;

export function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32BE(message.length, 4);
  return Buffer.concat([header, message]);
}

/**
 * Takes bytes in slices of any size, and returns the messages that are complete, in memory of their own: the slices are the caller's again.
 * Holds at most one incomplete message, and nothing of one that is too long: a response of that kind becomes the error EMSGSIZE without a
 * payload, so that it fails one request rather than the connection. Throws a FluxProtocolError at bytes that are no frame; after that it
 * cannot be used any longer.
 */
export function createDeframer(longest: number = longestMessage): (chunk: Buffer) => Buffer[] {
  const header = Buffer.alloc(headerBytes);
  let headerHas = 0;
  /** The incomplete message, and its length. */
  let message: Buffer = Buffer.alloc(0);
  let memory: ArrayBuffer | undefined;
  let has = 0;
  let length = 0;
  /** Bytes to skip before the end of a message that is too long. */
  let passedOver = 0;
  let tooLong = false;

  const begin = (): void => {
    const announced = messageLength(header);
    tooLong = announced > Math.max(longest, endBytes);
    length = tooLong ? endBytes : announced;
    passedOver = announced - length;
    has = 0;
    memory = length > longFrom ? new ArrayBuffer(firstBytes, { maxByteLength: length }) : undefined;
    message = memory ? Buffer.from(memory) : Buffer.allocUnsafe(length);
  };
  const grow = (): void => {
    memory?.resize(Math.min(length, 2 * has));
  };
  const end = (): Buffer => {
    headerHas = 0;
    const whole = message;
    message = Buffer.alloc(0);
    return tooLong ? refusalOf(whole) : whole;
  };
  return (chunk) => {
    const messages: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (headerHas < headerBytes) {
        const copied = chunk.copy(header, headerHas, at);
        at += copied;
        headerHas += copied;
        if (headerHas === headerBytes) begin();
      } else if (passedOver > 0) {
        const passed = Math.min(passedOver, chunk.length - at);
        at += passed;
        passedOver -= passed;
      } else {
        if (has === message.length) grow();
        const copied = chunk.copy(message, has, at);
        at += copied;
        has += copied;
        if (has === length) messages.push(end());
      }
    }
    return messages;
  };
}

/**
 * Frees a long payload that is not read any more: V8 would free it at its next full garbage collection, and dozens of megabytes may arrive
 * before that.
 */
export function free(payload: Uint8Array): void {
  const { buffer } = payload;
  if (buffer instanceof ArrayBuffer && buffer.resizable) buffer.resize(0);
}

/** A message of nothing but the PROTO of one that was too long: no parts, and, in a response, the error. */
function refusalOf(end: Buffer): Buffer {
  const message = Buffer.from(end);
  const [type, flags] = [message[3] ?? 0, message[4] ?? 0];
  message[4] = flags & ~(Flag.topic | Flag.payload | Flag.route);
  if (type === MessageType.response) message.writeUInt32BE(Errno.tooLong, endBytes - 8);
  return message;
}

function messageLength(bytes: Buffer): number {
  if (!bytes.subarray(0, 4).equals(magic))
    throw new FluxProtocolError('a frame does not begin with the magic word');
  const length = bytes.readUInt32BE(4);
  if (length === 0) throw new FluxProtocolError('a frame is empty');
  return length;
}
