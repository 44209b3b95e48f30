/**
 * Messages on a local stream socket: a magic word in the machine's own byte order, the length of what follows in network
 * order, the encoded message. (flux-core src/common/librouter/sendfd.c)
 */
import { endianness } from 'node:os';
import { FluxProtocolError } from './errors.ts';

const magic = Buffer.from(endianness() === 'LE' ? [0x12, 0x00, 0xee, 0xff] : [0xff, 0xee, 0x00, 0x12]);
const headerBytes = 8;
const smallSlice = 16 * 1024;

/** Flux has no limit of its own; a length beyond this is taken for garbage rather than for a reason to wait for it. */
export const longestMessage = 256 * 1024 * 1024;

export function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32BE(message.length, 4);
  return Buffer.concat([header, message]);
}

/**
 * Takes bytes as they come, in slices of any size, and gives the messages that are whole. Holds no more than the message that is
 * under way. Throws a FluxProtocolError at bytes that are no frame; after that it is of no more use.
 */
export function createDeframer(longest: number = longestMessage): (chunk: Buffer) => Buffer[] {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wanted = headerBytes;

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
  return (chunk) => {
    const messages: Buffer[] = [];
    hold(chunk);
    heldBytes += chunk.length;
    // Slices are joined once there are enough of them, so that a long message in many slices is copied once.
    while (heldBytes >= wanted) {
      let bytes = take();
      if (wanted === headerBytes) wanted += messageLength(bytes, longest);
      if (bytes.length >= wanted) {
        messages.push(bytes.subarray(headerBytes, wanted));
        bytes = bytes.subarray(wanted);
        wanted = headerBytes;
      }
      held = [bytes];
      heldBytes = bytes.length;
    }
    return messages;
  };
}

function messageLength(bytes: Buffer, longest: number): number {
  if (!bytes.subarray(0, 4).equals(magic))
    throw new FluxProtocolError('a frame does not begin with the magic word');
  const length = bytes.readUInt32BE(4);
  if (length === 0) throw new FluxProtocolError('a frame is empty');
  if (length > longest)
    throw new FluxProtocolError(`a message of ${length} bytes is over the limit of ${longest}`);
  return length;
}
