/**
 * Messages of RFC 3 to bytes and back. A message is a sequence of parts: route ids, an empty delimiter, topic, payload, and
 * last PROTO, 20 bytes with a flag for each optional part. On a stream socket each part is preceded by its length: one
 * byte, or 255 and four bytes. (flux-core src/common/libflux/message.c, flux_msg_encode and flux_msg_decode)
 */
import { Flag, MessageType, proto } from './constants.ts';
import { FluxProtocolError } from './errors.ts';

interface Parts {
  /** Ids of the hops that a request took, the last hop first and its sender last; absent where there is no route delimiter. */
  readonly routes?: readonly string[];
  readonly topic?: string;
  readonly payload?: Uint8Array;
}

interface Header {
  /** Flags without those of the parts. */
  readonly flags: number;
  readonly userid: number;
  readonly rolemask: number;
}

export interface Request extends Parts, Header {
  readonly type: typeof MessageType.request;
  readonly nodeid: number;
  readonly matchtag: number;
}

export interface Response extends Parts, Header {
  readonly type: typeof MessageType.response;
  /** 0, or a POSIX error number. */
  readonly errnum: number;
  readonly matchtag: number;
}

export interface Event extends Parts, Header {
  readonly type: typeof MessageType.event;
  readonly sequence: number;
}

export interface Control extends Parts, Header {
  readonly type: typeof MessageType.control;
  readonly control: number;
  readonly status: number;
}

export type Message = Request | Response | Event | Control;

/** The flags of the parts. */
const structural = Flag.topic | Flag.payload | Flag.route;
/** No overlay is as deep: more hops are an attack or an error. */
const mostRoutes = 1024;

export function encodeMessage(message: Message): Buffer {
  const { routes, topic, payload } = message;
  const parts: Uint8Array[] = routes ? [...routes.map((id) => Buffer.from(id)), Buffer.alloc(0)] : [];
  if (topic !== undefined) parts.push(Buffer.from(topic));
  if (payload) parts.push(payload);
  const length = parts.reduce((sum, part) => sum + lengthBytes(part.length) + part.length, 1 + proto.bytes);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    at = writeLength(bytes, part.length, at);
    bytes.set(part, at);
    at += part.length;
  }
  writeProto(bytes, message, writeLength(bytes, proto.bytes, at));
  return bytes;
}

function writeProto(bytes: Buffer, message: Message, at: number): void {
  const present =
    (message.routes ? Flag.route : 0) |
    (message.topic === undefined ? 0 : Flag.topic) |
    (message.payload ? Flag.payload : 0);
  bytes.writeUInt8(proto.magic, at);
  bytes.writeUInt8(proto.version, at + 1);
  bytes.writeUInt8(message.type, at + 2);
  bytes.writeUInt8((message.flags & ~structural) | present, at + 3);
  bytes.writeUInt32BE(message.userid, at + 4);
  bytes.writeUInt32BE(message.rolemask, at + 8);
  const [first, second] = lastFields(message);
  bytes.writeUInt32BE(first, at + 12);
  bytes.writeUInt32BE(second, at + 16);
}

/** The two fields whose meaning depends on the type. */
function lastFields(message: Message): [number, number] {
  switch (message.type) {
    case MessageType.request:
      return [message.nodeid, message.matchtag];
    case MessageType.response:
      return [message.errnum, message.matchtag];
    case MessageType.event:
      return [message.sequence, 0];
    case MessageType.control:
      return [message.control, message.status];
  }
}

const longLength = 255;

const lengthBytes = (length: number): number => (length < longLength ? 1 : 5);

/** Returns the place behind it. */
function writeLength(bytes: Buffer, length: number, at: number): number {
  if (length < longLength) return bytes.writeUInt8(length, at);
  return bytes.writeUInt32BE(length, bytes.writeUInt8(longLength, at));
}

/** Reads one message, whose bytes are all of `bytes`. The payload is a view of them. Throws a FluxProtocolError. */
export function decodeMessage(bytes: Buffer): Message {
  const parts = splitParts(bytes);
  const header = decodeProto(parts.pop());
  const { routes, topic, payload } = readParts(parts, header.present);
  return {
    ...header.fields,
    ...(routes && { routes }),
    ...(topic !== undefined && { topic }),
    ...(payload && { payload }),
  };
}

function splitParts(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    let length = bytes.readUInt8(offset++);
    if (length === longLength) {
      if (bytes.length - offset < 4) throw new FluxProtocolError("a part's length is cut off");
      length = bytes.readUInt32BE(offset);
      offset += 4;
    }
    if (bytes.length - offset < length)
      throw new FluxProtocolError(`a part of ${length} bytes has only ${bytes.length - offset}`);
    parts.push(bytes.subarray(offset, offset + length));
    if (parts.length > mostRoutes + 4) throw new FluxProtocolError(`more than ${mostRoutes} routes`);
    offset += length;
  }
  return parts;
}

function decodeProto(bytes: Buffer | undefined): { fields: Message; present: number } {
  if (bytes?.length !== proto.bytes)
    throw new FluxProtocolError(
      `the last part must be PROTO, ${proto.bytes} bytes, but has ${bytes?.length ?? 0}`,
    );
  if (bytes.readUInt8(0) !== proto.magic || bytes.readUInt8(1) !== proto.version)
    throw new FluxProtocolError('PROTO does not begin with the magic and version of RFC 3');
  const [type, flags] = [bytes.readUInt8(2), bytes.readUInt8(3)];
  const common = {
    flags: flags & ~structural,
    userid: bytes.readUInt32BE(4),
    rolemask: bytes.readUInt32BE(8),
  };
  const [first, second] = [bytes.readUInt32BE(12), bytes.readUInt32BE(16)];
  const present = flags & structural;
  switch (type) {
    case MessageType.request:
      return { fields: { type, ...common, nodeid: first, matchtag: second }, present };
    case MessageType.response:
      return { fields: { type, ...common, errnum: first, matchtag: second }, present };
    case MessageType.event:
      return { fields: { type, ...common, sequence: first }, present };
    case MessageType.control:
      return { fields: { type, ...common, control: first, status: second }, present };
    default:
      throw new FluxProtocolError(`there is no message type ${type}`);
  }
}

function readParts(
  parts: Buffer[],
  present: number,
): { routes?: string[]; topic?: string; payload?: Buffer } {
  const read: { routes?: string[]; topic?: string; payload?: Buffer } = {};
  let next = 0;
  if (present & Flag.route) {
    const delimiter = parts.findIndex((part) => part.length === 0);
    if (delimiter < 0) throw new FluxProtocolError('the route delimiter is missing');
    read.routes = parts.slice(0, delimiter).map(String);
    next = delimiter + 1;
  }
  if (present & Flag.topic) {
    const topic = parts[next++];
    if (!topic) throw new FluxProtocolError('the topic is missing');
    // RFC 3 has strings end with a NUL, which Flux leaves out.
    read.topic = topic.toString().replace(/\0.*$/s, '');
  }
  if (present & Flag.payload) {
    const payload = parts[next++];
    if (!payload) throw new FluxProtocolError('the payload is missing');
    read.payload = payload;
  }
  if (next < parts.length) throw new FluxProtocolError(`${parts.length - next} parts too many`);
  return read;
}
