/**
 * Messages on a local stream socket: a magic word in the machine's own byte order, the length of what follows in network
 * order, the encoded message. (flux-core src/common/librouter/sendfd.c)
 */
import { endianness } from 'node:os';
import { Flag, MessageType, proto } from './constants.ts';
import { Errno, FluxProtocolError } from './errors.ts';

const magic = Buffer.from(endianness() === 'LE' ? [0x12, 0x00, 0xee, 0xff] : [0xff, 0xee, 0x00, 0x12]);
const headerBytes = 8;
const smallSlice = 16 * 1024;
/** A message from this length on has memory of its own. */
const longFrom = 256 * 1024;

/** Flux has no limit of its own. */
export const longestMessage = 64 * 1024 * 1024;
/** PROTO with its length before it, the end of every message (RFC 3): it has the matchtag. */
const endBytes = 1 + proto.bytes;

export function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32BE(message.length, 4);
  return Buffer.concat([header, message]);
}

/**
 * Takes bytes as they come, in slices of any size, and gives the messages that are whole. Holds no more than the message that is
 * under way, and nothing of one that is too long: a response of that kind comes out as the error EMSGSIZE without a payload, so that
 * it fails one request rather than the connection. Throws a FluxProtocolError at bytes that are no frame; after that it is of no more
 * use.
 */
export function createDeframer(longest: number = longestMessage): (chunk: Buffer) => Buffer[] {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wanted = headerBytes;
  /** Of a message that is too long, the bytes before its end that are still to come. */
  let passedOver = 0;
  let tooLong = false;
  /** A long message and how much of it is there, once a part of it is: the rest is copied as it comes rather than held in slices. */
  let long: Buffer | undefined;
  let longBytes = 0;

  const take = (): Buffer => {
    const [only = Buffer.alloc(0)] = held;
    return held.length === 1 ? only : Buffer.concat(held, heldBytes);
  };
  /** Small slices are joined as they come: a long message in slices of a byte would take a hundred times its size. */
  const hold = (chunk: Buffer): void => {
    const before = held.at(-1);
    if (!before || before.length >= smallSlice || before.length > chunk.length) return void held.push(chunk);
    held.pop();
    hold(Buffer.concat([before, chunk]));
  };
  const passOver = (chunk: Buffer): Buffer => {
    const passed = Math.min(passedOver, chunk.length);
    passedOver -= passed;
    return chunk.subarray(passed);
  };
  const assemble = () => {
    long = Buffer.allocUnsafeSlow(wanted);
    longBytes = 0;
    for (const slice of held) longBytes += slice.copy(long, longBytes);
    held = [];
    heldBytes = 0;
  };
  /** Gives what is behind the long message. */
  const fill = (chunk: Buffer, messages: Buffer[]): Buffer => {
    if (!long) return chunk;
    const copied = chunk.copy(long, longBytes);
    longBytes += copied;
    if (longBytes === wanted) {
      messages.push(long.subarray(headerBytes));
      long = undefined;
      wanted = headerBytes;
    }
    return chunk.subarray(copied);
  };
  return (chunk) => {
    const messages: Buffer[] = [];
    const bytesToHold = fill(passOver(chunk), messages);
    if (bytesToHold.length === 0) return messages;
    hold(bytesToHold);
    heldBytes += bytesToHold.length;
    // Slices are joined once there are enough of them, so that a long message in many slices is copied once.
    while (heldBytes >= wanted) {
      let bytes = take();
      if (wanted === headerBytes) {
        const length = messageLength(bytes);
        tooLong = length > Math.max(longest, endBytes);
        wanted += tooLong ? endBytes : length;
        if (tooLong) {
          passedOver = length - endBytes;
          bytes = Buffer.concat([bytes.subarray(0, headerBytes), passOver(bytes.subarray(headerBytes))]);
        }
      }
      if (bytes.length >= wanted) {
        const message = bytes.subarray(headerBytes, wanted);
        messages.push(tooLong ? refusalOf(message) : message);
        bytes = bytes.subarray(wanted);
        wanted = headerBytes;
      }
      held = [bytes];
      heldBytes = bytes.length;
    }
    // Not before, so that nothing is set aside for what is only announced.
    if (wanted > longFrom && heldBytes > wanted / 8) assemble();
    return messages;
  };
}

/**
 * Frees a payload that nothing reads any more, if it is long: V8 would do so at its next full garbage collection, and until then dozens of
 * megabytes of them may come.
 */
export function free(payload: Uint8Array): void {
  const { buffer } = payload;
  if (payload.length >= longFrom && buffer instanceof ArrayBuffer) buffer.transfer(0);
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
