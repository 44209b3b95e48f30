import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Flag, MessageType, NodeId } from '../../agent/flux/constants.ts';
import { FluxProtocolError } from '../../agent/flux/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../agent/flux/flux-message.ts';
import { encodeRaw, type RawMessage } from '../support/flux/encode-message.ts';

const owner = { flags: 0, userid: 1000, rolemask: 1 };
const bytes = (length: number) => Buffer.alloc(length, 'x');

const pairs: [string, Message, RawMessage][] = [
  [
    'a request that any broker may answer',
    {
      type: MessageType.request,
      ...owner,
      nodeid: NodeId.any,
      matchtag: 7,
      routes: [],
      topic: 'state-machine.get',
      payload: Buffer.from('{}\0'),
    },
    {
      type: 1,
      flags: 0x0b,
      userid: 1000,
      rolemask: 1,
      first: 0xffffffff,
      second: 7,
      parts: ['', 'state-machine.get', '{}\0'],
    },
  ],
  [
    'a request to a rank, for a stream, without payload',
    {
      type: MessageType.request,
      ...owner,
      flags: Flag.streaming,
      nodeid: 3,
      matchtag: 0xffffffff,
      routes: [],
      topic: 'a',
    },
    {
      type: 1,
      flags: 0x49,
      userid: 1000,
      rolemask: 1,
      first: 3,
      second: 0xffffffff,
      parts: ['', 'a'],
    },
  ],
  [
    'a request that went over three hops',
    {
      type: MessageType.request,
      ...owner,
      flags: Flag.noResponse | Flag.upstream,
      nodeid: NodeId.upstream,
      matchtag: 0,
      routes: ['last-hop', '1', 'sender'],
      topic: 'a.b',
    },
    {
      type: 1,
      flags: 0x1d,
      userid: 1000,
      rolemask: 1,
      first: 0xfffffffe,
      parts: ['last-hop', '1', 'sender', '', 'a.b'],
    },
  ],
  [
    'a response with an error and its text',
    {
      type: MessageType.response,
      ...owner,
      errnum: 38,
      matchtag: 1,
      routes: [],
      topic: 'no.service',
      payload: Buffer.from('No service matching no.service is registered\0'),
    },
    {
      type: 2,
      flags: 0x0b,
      userid: 1000,
      rolemask: 1,
      first: 38,
      second: 1,
      parts: ['', 'no.service', 'No service matching no.service is registered\0'],
    },
  ],
  [
    'a response without a route delimiter',
    { type: MessageType.response, ...owner, errnum: 0, matchtag: 9, topic: 'event.subscribe' },
    {
      type: 2,
      flags: 0x01,
      userid: 1000,
      rolemask: 1,
      second: 9,
      parts: ['event.subscribe'],
    },
  ],
  [
    'an event that only its sender and the owner get',
    {
      type: MessageType.event,
      ...owner,
      flags: Flag.private | Flag.user1,
      sequence: 0x01020304,
      topic: 'heartbeat.pulse',
    },
    {
      type: 4,
      flags: 0xa1,
      userid: 1000,
      rolemask: 1,
      first: 0x01020304,
      parts: ['heartbeat.pulse'],
    },
  ],
  [
    'a control message, which has no parts but PROTO',
    { type: MessageType.control, flags: 0, userid: 0xffffffff, rolemask: 0, control: 2, status: 0x80000000 },
    { type: 8, flags: 0, first: 2, second: 0x80000000, parts: [] },
  ],
  [
    'an empty payload, which is not the same as none',
    { type: MessageType.event, ...owner, sequence: 1, topic: 'a', payload: bytes(0) },
    { type: 4, flags: 0x03, userid: 1000, rolemask: 1, first: 1, parts: ['a', ''] },
  ],
  ...[254, 255, 256, 70_000].map((length): [string, Message, RawMessage] => [
    `a payload of ${length} bytes`,
    { type: MessageType.event, ...owner, sequence: 1, topic: 'a', payload: bytes(length) },
    { type: 4, flags: 0x03, userid: 1000, rolemask: 1, first: 1, parts: ['a', bytes(length)] },
  ]),
  [
    'a topic and a route of 300 bytes',
    {
      type: MessageType.request,
      ...owner,
      nodeid: 0,
      matchtag: 1,
      routes: ['r'.repeat(300)],
      topic: 't'.repeat(300),
    },
    {
      type: 1,
      flags: 0x09,
      userid: 1000,
      rolemask: 1,
      second: 1,
      parts: ['r'.repeat(300), '', 't'.repeat(300)],
    },
  ],
];

describe('a message', () => {
  it.each(pairs)('is written as RFC 3 says: %s', (_, message, raw) => {
    expect(encodeMessage(message).equals(encodeRaw(raw))).toBe(true);
  });

  it.each(pairs)('is read as RFC 3 says: %s', (_, message, raw) => {
    expect(decodeMessage(encodeRaw(raw))).toEqual(message);
  });

  it('is the bytes that Flux sends for a state-machine.get', () => {
    const taken = `
      00 11 73 74 61 74 65 2d 6d 61 63 68 69 6e 65 2e 67 65 74
      14 8e 01 01 09 ff ff ff ff 00 00 00 00 ff ff ff ff 00 00 00 01`;
    expect(decodeMessage(Buffer.from(taken.replace(/\s/g, ''), 'hex'))).toEqual({
      type: MessageType.request,
      flags: 0,
      userid: 0xffffffff,
      rolemask: 0,
      nodeid: NodeId.any,
      matchtag: 1,
      routes: [],
      topic: 'state-machine.get',
    });
  });

  it('has a topic that ends at a NUL, where a sender takes RFC 3 at its word', () => {
    expect(decodeMessage(encodeRaw({ type: 4, flags: 1, parts: ['a.b\0'] }))).toMatchObject({ topic: 'a.b' });
  });

  it('comes back the same from its bytes', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  it.each<[string, RawMessage | Buffer, RegExp]>([
    ['no bytes', Buffer.alloc(0), /last part must be PROTO, 20 bytes, but has 0/],
    ['a PROTO of 19 bytes', Buffer.from([19, ...bytes(19)]), /20 bytes, but has 19/],
    ['another magic', Buffer.from([20, 0x8f, 1, ...bytes(18)]), /magic and version/],
    ['another version', Buffer.from([20, 0x8e, 2, ...bytes(18)]), /magic and version/],
    ['a type of none', { type: 0, flags: 0, parts: [] }, /no message type 0/],
    ['two types at once', { type: 3, flags: 0, parts: [] }, /no message type 3/],
    ['a route without a delimiter', { type: 1, flags: 0x08, parts: ['a'] }, /delimiter is missing/],
    ['no topic where there must be one', { type: 4, flags: 1, parts: [] }, /topic is missing/],
    ['no payload where there must be one', { type: 4, flags: 3, parts: ['a'] }, /payload is missing/],
    ['a part too many', { type: 4, flags: 1, parts: ['a', 'b'] }, /1 parts too many/],
    ['a length that is cut off', Buffer.from([255, 0, 0, 1]), /length is cut off/],
    ['a part that is cut off', Buffer.from([200, 1, 2]), /a part of 200 bytes has only 2/],
    ['a part of 4 GB that is not there', Buffer.from([255, 255, 255, 255, 255, 0]), /4294967295 bytes/],
    ['routes without end', Buffer.alloc(100_000, Buffer.from([1, 65])), /more than 1024 routes/],
  ])('is not read from %s', (_, raw, said) => {
    const given = Buffer.isBuffer(raw) ? raw : encodeRaw(raw);
    expect(() => decodeMessage(given)).toThrow(said);
    expect(() => decodeMessage(given)).toThrow(FluxProtocolError);
  });

  it('that is cut short anywhere is refused by a FluxProtocolError', () => {
    for (const [, , raw] of pairs.filter(([, message]) => (message.payload?.length ?? 0) < 1000)) {
      const whole = encodeRaw(raw);
      for (let end = 0; end < whole.length; end++)
        expect(() => decodeMessage(whole.subarray(0, end))).toThrow(FluxProtocolError);
    }
  });

  it('is read from no random bytes, nor from a message with some bytes changed, but by a FluxProtocolError or in full', () => {
    const changed = fc
      .tuple(anyMessage, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([message, changes]) => {
        const whole = Uint8Array.from(encodeMessage(message));
        for (const [at, value] of changes) whole[at % whole.length] = value;
        return whole;
      });
    const random = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(fc.oneof(random, changed), (given) => {
        try {
          const message = decodeMessage(Buffer.from(given));
          expect(Object.values(MessageType)).toContain(message.type);
          expect(message.routes?.length ?? 0).toBeLessThanOrEqual(given.length);
          expect(message.payload?.length ?? 0).toBeLessThanOrEqual(given.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FluxProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const uint32 = fc.oneof(fc.nat(), fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff));
/** A NUL would end a string early, and an empty route would be the delimiter. */
const name = (minLength: number) =>
  fc.string({ unit: 'binary', minLength, maxLength: 300 }).map((text) => text.replaceAll('\0', '.'));
const common = {
  flags: fc.constantFrom(0, Flag.noResponse, Flag.upstream, Flag.private | Flag.user1, Flag.streaming),
  userid: uint32,
  rolemask: uint32,
  topic: name(0),
  payload: fc.uint8Array({ maxLength: 600 }).map((content) => Buffer.from(content)),
};
const routes = fc.array(name(1), { maxLength: 5 });
const constantly = fc.constant;
const optional = <Model extends object>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }) => {
  const asked = Object.keys(model).filter((key) => !['topic', 'payload', 'routes'].includes(key));
  return fc.record(model, { requiredKeys: asked as (keyof Model)[] });
};
const anyMessage = fc.oneof(
  optional({ ...common, type: constantly(MessageType.request), nodeid: uint32, matchtag: uint32, routes }),
  optional({ ...common, type: constantly(MessageType.response), errnum: uint32, matchtag: uint32, routes }),
  optional({ ...common, type: constantly(MessageType.event), sequence: uint32 }),
  optional({ ...common, type: constantly(MessageType.control), control: uint32, status: uint32 }),
) as fc.Arbitrary<Message>;
