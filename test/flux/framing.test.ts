import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FluxProtocolError } from '../../agent/flux/errors.ts';
import { decodeMessage } from '../../agent/flux/flux-message.ts';
import { createDeframer, frame, longestMessage } from '../../agent/flux/framing.ts';
import { encodeRaw, frameRaw } from '../support/flux/encode-message.ts';

const messages = ['one', 'x'.repeat(300), 'z'].map((text) => Buffer.from(text));
const stream = Buffer.concat(messages.map(frameRaw));

/** Feeds `chunks` to one deframer: all that came out. */
const deframeAll = (chunks: readonly Buffer[]) => chunks.flatMap(createDeframer());

describe('a frame', () => {
  it('is the magic word in the order of the machine, the length in network order, the message', () => {
    expect(frame(Buffer.from('one')).toString('hex')).toBe('1200eeff000000036f6e65');
    for (const message of messages) expect(frame(message)).toEqual(frameRaw(message));
  });

  it('is found wherever the stream is split in two', () => {
    for (let at = 0; at <= stream.length; at++)
      expect(deframeAll([stream.subarray(0, at), stream.subarray(at)])).toEqual(messages);
  });

  it('is found in slices of one byte', () => {
    expect(deframeAll([...stream].map((byte) => Buffer.of(byte)))).toEqual(messages);
  });

  it('is found in random slices of random messages', () => {
    const content = fc.uint8Array({ minLength: 1, maxLength: 500 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(content, { maxLength: 8 }), fc.array(fc.nat(200)), (contents, sizes) => {
        let rest = Buffer.concat(contents.map(frameRaw));
        const slices = sizes.map((size) => {
          const slice = rest.subarray(0, size);
          rest = rest.subarray(size);
          return slice;
        });
        expect(deframeAll([...slices, rest])).toEqual(contents);
      }),
    );
  });

  it('comes out as soon as its last byte is there', () => {
    const deframe = createDeframer();
    expect(deframe(stream.subarray(0, 10))).toEqual([]);
    expect(deframe(stream.subarray(10, 11))).toEqual(messages.slice(0, 1));
  });

  it.each([
    ['another magic word', '1200eefe00000001aa', /magic word/],
    ['the magic word in network order', 'ffee001200000001aa', /magic word/],
    ['a length of 0', '1200eeff00000000', /a frame is empty/],
    ['HTTP', Buffer.from('GET / HTTP/1.1').toString('hex'), /magic word/],
  ])('is refused with %s, also behind a good one and byte by byte', (_, hex, said) => {
    const bad = Buffer.from(hex, 'hex');
    const behind = Buffer.concat([stream, bad]);
    for (const chunks of [[bad], [behind], [...behind].map((byte) => Buffer.of(byte))]) {
      expect(() => deframeAll(chunks)).toThrow(said);
      expect(() => deframeAll(chunks)).toThrow(FluxProtocolError);
    }
  });

  it('of the greatest length is waited for without memory being set aside for it', () => {
    const header = Buffer.from('1200eeff00000000', 'hex');
    header.writeUInt32BE(longestMessage, 4);
    const before = process.memoryUsage().arrayBuffers;
    const deframers = Array.from({ length: 100 }, () => createDeframer());
    for (const deframe of deframers) expect(deframe(Buffer.from(header))).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('over the limit is skipped, and becomes an error of its request: in slices of any size', () => {
    const payload = 'x'.repeat(5000);
    const matchtag = 0x1234;
    const response = { type: 2, flags: 3, first: 0, second: matchtag };
    const long = encodeRaw({ ...response, parts: ['some.topic', payload] });
    const bytes = Buffer.concat([stream, frameRaw(long), stream]);
    for (const size of [1, 7, 100, 4096, bytes.length]) {
      const deframe = createDeframer(1000);
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...deframe(Buffer.from(bytes.subarray(at, at + size))));
      expect(found.toSpliced(3, 1)).toEqual([...messages, ...messages]);
      expect(decodeMessage(found[3] as Buffer)).toMatchObject({ type: 2, errnum: 90, matchtag });
    }
  });

  it('that is long is the same in slices of any size, with what stands before and behind it', () => {
    const long = Buffer.from(Array.from({ length: 1_000_000 }, (_, place) => place % 251));
    const bytes = Buffer.concat([stream, frameRaw(long), frameRaw(long), stream]);
    for (const size of [1000, 65_536, 999_999, bytes.length]) {
      const deframe = createDeframer();
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...deframe(Buffer.from(bytes.subarray(at, at + size))));
      expect(found.map(({ length }) => length)).toEqual(
        [...messages, long, long, ...messages].map(({ length }) => length),
      );
      expect(
        found.every((message, at) => message.equals([...messages, long, long, ...messages][at] as Buffer)),
      ).toBe(true);
    }
  });

  it('has memory of its own: the slices that it came in may be written over', () => {
    const deframe = createDeframer();
    const slice = Buffer.alloc(7);
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; at += slice.length) {
      const bytes = stream.copy(slice, 0, at);
      found.push(...deframe(slice.subarray(0, bytes)));
    }
    expect(found).toEqual(messages);
  });

  it('over the limit takes no memory while it passes', () => {
    const deframe = createDeframer(1000);
    const header = Buffer.from('1200eeffffffffff', 'hex');
    const before = process.memoryUsage().arrayBuffers;
    deframe(header);
    const chunk = Buffer.alloc(64 * 1024);
    for (let chunks = 0; chunks < 10_000; chunks++) deframe(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  it('that comes byte by byte takes little more memory than its length', () => {
    const deframe = createDeframer();
    const message = Buffer.alloc(2_000_000, 'x');
    const before = process.memoryUsage();
    for (const byte of frameRaw(message).subarray(0, -1)) deframe(Buffer.of(byte));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(100_000_000);
    expect(deframe(Buffer.from('x'))[0]?.equals(message)).toBe(true);
  });

  it('ends random bytes by a FluxProtocolError, or they wait for more', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        try {
          deframeAll(chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toBeInstanceOf(FluxProtocolError);
        }
      }),
    );
  });
});
