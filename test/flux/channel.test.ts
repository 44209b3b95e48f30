import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createChannel } from '../../agent/flux/channel.ts';
import { Flag, MessageType, NodeId } from '../../agent/flux/constants.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import type { Request } from '../../agent/flux/flux-message.ts';
import { decodeJson, type JsonObject } from '../../agent/flux/payload.ts';
import { responseTo } from '../support/flux/fake-broker.ts';

/** A channel whose carrier keeps what is sent, and a service that answers at a test's word. */
function setUp() {
  const sent: Request[] = [];
  const carrier = {
    send: vi.fn((message) => void sent.push(message as Request)),
    pause: vi.fn(),
    resume: vi.fn(),
  };
  const channel = createChannel(carrier);
  const last = () => sent.at(-1) as Request;
  return {
    channel,
    carrier,
    sent,
    last,
    answer: (payload?: JsonObject | Uint8Array, errnum = 0, request = last()) =>
      channel.receive(responseTo(request, { payload, errnum })),
    event: (topic: string, payload?: Uint8Array) =>
      channel.receive({
        type: MessageType.event,
        flags: 0,
        userid: 1,
        rolemask: 1,
        sequence: 1,
        topic,
        ...(payload && { payload }),
      }),
  };
}

/** What a promise is rejected with. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`fulfilled with ${JSON.stringify(value)}`);
    },
    (error) => error,
  );

const text = (words: string) => Buffer.from(`${words}\0`);
/** Until what promises have to do is done. */
const settled = () => delay(1);

describe('an RPC', () => {
  it('is one request, with the numbers that the broker fills in left open', async () => {
    const { channel, last, answer } = setUp();
    const result = channel.rpc('attr.get', { name: 'rank' });
    const { payload, ...rest } = last();
    expect(rest).toEqual({
      type: MessageType.request,
      flags: 0,
      userid: 0xffffffff,
      rolemask: 0,
      nodeid: NodeId.any,
      matchtag: 1,
      routes: [],
      topic: 'attr.get',
    });
    expect(decodeJson(payload)).toEqual({ name: 'rank' });
    answer({ value: '3' });
    expect(await result).toEqual({ value: '3' });
  });

  it('has no payload where none is given, and an empty object where none comes', async () => {
    const { channel, last, answer } = setUp();
    const result = channel.rpc('state-machine.get');
    expect(last().payload).toBeUndefined();
    answer();
    expect(await result).toEqual({});
  });

  it('goes to a rank, or to the broker above', () => {
    const { channel, last } = setUp();
    void channel.rpc('a.b', {}, { nodeid: 5 });
    expect(last()).toMatchObject({ nodeid: 5, flags: 0 });
    void channel.rpc('a.b', {}, { nodeid: NodeId.upstream });
    expect(last()).toMatchObject({ nodeid: 0xfffffffe, flags: Flag.upstream });
  });

  it('gets its own answer, in whichever order they come', async () => {
    const { channel, sent, answer } = setUp();
    const results = ['a', 'b', 'c'].map((name) => channel.rpc('attr.get', { name }));
    for (const request of [...sent].reverse()) answer({ of: request.matchtag }, 0, request);
    expect(await Promise.all(results)).toEqual([{ of: 1 }, { of: 2 }, { of: 3 }]);
  });

  it.each([
    [
      "Flux's own words",
      text('No service matching a.b is registered'),
      'a.b: No service matching a.b is registered',
    ],
    ['none, when the system has some', undefined, 'a.b: function not implemented (ENOSYS)'],
    ['empty ones', text(''), 'a.b: function not implemented (ENOSYS)'],
  ])('that fails brings the errno, and %s', async (_, payload, message) => {
    const { channel, answer } = setUp();
    const result = failureOf(channel.rpc('a.b'));
    answer(payload, 38);
    expect(await result).toMatchObject({
      name: 'FluxError',
      errnum: 38,
      errno: 'ENOSYS',
      topic: 'a.b',
      message,
    });
  });

  it('whose answer is no JSON fails with EPROTO', async () => {
    const { channel, answer } = setUp();
    const result = failureOf(channel.rpc('a.b'));
    answer(text('no JSON'));
    const failure = await result;
    expect(failure).toBeInstanceOf(FluxError);
    expect(failure).toMatchObject({
      errnum: Errno.protocol,
      topic: 'a.b',
      message: 'a.b: a payload is not JSON',
    });
  });

  it('ends at its timeout, and a late response is dropped', async () => {
    const { channel, sent, answer } = setUp();
    const failure = await failureOf(channel.rpc('a.b', {}, { timeoutMs: 5 }));
    expect(failure).toMatchObject({ errnum: Errno.timedOut, message: 'a.b: no answer in 5 ms' });
    const next = channel.rpc('a.b');
    answer({ late: true }, 0, sent[0]);
    answer({ late: false }, 0, sent[1]);
    expect(await next).toEqual({ late: false });
  });

  it('leaves no timer behind when it is answered', async () => {
    vi.useFakeTimers();
    const { channel, answer } = setUp();
    const result = channel.rpc('a.b', {}, { timeoutMs: 5 });
    answer({});
    await result;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('ends when it is aborted, with the reason', async () => {
    const { channel, answer } = setUp();
    const controller = new AbortController();
    const result = failureOf(channel.rpc('a.b', {}, { signal: controller.signal }));
    controller.abort(new Error('enough'));
    answer({});
    expect(await result).toEqual(new Error('enough'));
  });

  it('is not sent when it was aborted before', async () => {
    const { channel, sent } = setUp();
    const signal = AbortSignal.abort(new Error('enough'));
    expect(await failureOf(channel.rpc('a.b', {}, { signal }))).toEqual(new Error('enough'));
    expect(sent).toEqual([]);
  });

  it('leaves no listener on a signal that lives longer', async () => {
    const { channel, answer } = setUp();
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, 'removeEventListener');
    const add = vi.spyOn(signal, 'addEventListener');
    const result = channel.rpc('a.b', {}, { signal, timeoutMs: 1000 });
    answer({});
    await result;
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });

  it('never uses a matchtag again whose answer may still come', async () => {
    const { channel, sent } = setUp();
    await failureOf(channel.rpc('a.b', {}, { timeoutMs: 1 }));
    for (let count = 0; count < 100; count++) void channel.rpc('a.b');
    const tags = sent.map(({ matchtag }) => matchtag);
    expect(new Set(tags).size).toBe(tags.length);
    expect(tags).not.toContain(0);
  });

  it('ignores a response without a request', () => {
    const { channel, last } = setUp();
    void channel.rpc('a.b');
    channel.receive(responseTo({ ...last(), matchtag: 77 }, {}));
    channel.receive(responseTo({ ...last(), matchtag: 0 }, {}));
    channel.receive({ type: MessageType.control, flags: 0, userid: 1, rolemask: 1, control: 1, status: 1 });
    channel.receive(last());
  });
});

describe('a stream', () => {
  it('asks when it is first read, and ends at ENODATA', async () => {
    const { channel, sent, last, answer } = setUp();
    const stream = channel.stream('a.watch', { n: 1 });
    expect(sent).toEqual([]);
    const first = stream.next();
    expect(last()).toMatchObject({ topic: 'a.watch', flags: Flag.streaming, matchtag: 1 });
    answer({ n: 1 });
    answer({ n: 2 });
    answer(undefined, Errno.endOfStream);
    expect(await first).toEqual({ value: { n: 1 }, done: false });
    expect(await stream.next()).toEqual({ value: { n: 2 }, done: false });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    expect(sent).toHaveLength(1);
  });

  it('gives what came before an error, then the error, and needs no cancellation', async () => {
    const { channel, sent, answer } = setUp();
    const stream = channel.stream('a.watch');
    const first = stream.next();
    answer({ n: 1 });
    answer(text('gone'), 2);
    expect(await first).toMatchObject({ value: { n: 1 } });
    expect(await failureOf(stream.next())).toMatchObject({ errno: 'ENOENT', message: 'a.watch: gone' });
    expect(await stream.next()).toMatchObject({ done: true });
    expect(sent).toHaveLength(1);
  });

  it('with an answer that is no JSON fails with EPROTO, and is ended at the service', async () => {
    const { channel, last, answer } = setUp();
    const first = failureOf(channel.stream('a.watch').next());
    answer(text('no JSON'));
    expect(await first).toMatchObject({ name: 'FluxError', errnum: Errno.protocol });
    expect(last()).toMatchObject({ topic: 'a.disconnect' });
  });

  it('left early is ended by the method that its service has for that', async () => {
    const { channel, sent, last, answer } = setUp();
    const stream = channel.stream('a.watch', {}, { nodeid: 2, cancelTopic: 'a.watch-cancel' });
    const first = stream.next();
    answer({});
    await first;
    await stream.return();
    expect(last()).toMatchObject({ topic: 'a.watch-cancel', nodeid: 2, flags: Flag.noResponse, matchtag: 0 });
    expect(decodeJson(last().payload)).toEqual({ matchtag: 1 });
    // What the service still sends, and its last word, meet nobody.
    answer({ late: 1 }, 0, sent[0]);
    answer(undefined, Errno.canceled, sent[0]);
    expect(await stream.next()).toMatchObject({ done: true });
  });

  it('left early is ended by disconnect, where its service has no method for that (RFC 6)', async () => {
    const { channel, last, answer } = setUp();
    const loop = (async () => {
      for await (const _ of channel.stream('a.b.watch', {}, { nodeid: 2 })) break;
    })();
    answer({});
    await loop;
    expect(last()).toMatchObject({ topic: 'a.b.disconnect', nodeid: 2, flags: Flag.noResponse, matchtag: 0 });
    expect(last().payload).toBeUndefined();
  });

  it('of a service whose topic has no method is ended by a bare disconnect', async () => {
    const { channel, last, answer } = setUp();
    const stream = channel.stream('watch');
    const first = stream.next();
    answer({});
    await first;
    await stream.return();
    expect(last()).toMatchObject({ topic: 'disconnect' });
  });

  it('left early is not ended by disconnect while something else of that service is under way', async () => {
    const { channel, sent, answer } = setUp();
    const [one, other] = [channel.stream('a.watch'), channel.stream('a.watch')];
    const firsts = [one.next(), other.next()];
    for (const request of [...sent]) answer({}, 0, request);
    await Promise.all(firsts);
    await one.return();
    expect(sent).toHaveLength(2);
    answer({ n: 2 }, 0, sent[1]);
    expect(await other.next()).toMatchObject({ value: { n: 2 } });
    await other.return();
    expect(sent.slice(2)).toMatchObject([{ topic: 'a.disconnect' }]);
  });

  it('ends when it is aborted while it waits, with the reason, at the service too', async () => {
    const { channel, last } = setUp();
    const controller = new AbortController();
    const first = failureOf(channel.stream('a.watch', {}, { signal: controller.signal }).next());
    controller.abort(new Error('enough'));
    expect(await first).toEqual(new Error('enough'));
    expect(last()).toMatchObject({ topic: 'a.disconnect' });
  });

  it('ends when it is aborted between two readings, before what has piled up', async () => {
    const { channel, answer } = setUp();
    const controller = new AbortController();
    const stream = channel.stream('a.watch', {}, { signal: controller.signal });
    const first = stream.next();
    answer({ n: 1 });
    answer({ n: 2 });
    await first;
    controller.abort(new Error('enough'));
    expect(await failureOf(stream.next())).toEqual(new Error('enough'));
  });

  it('stops the connection while its reader is slow, and starts it again', async () => {
    const { channel, carrier, answer } = setUp();
    const stream = channel.stream('a.watch');
    const first = stream.next();
    for (let n = 0; n < 1024; n++) answer({ n });
    expect(carrier.pause).not.toHaveBeenCalled();
    for (let n = 1024; n < 1100; n++) answer({ n });
    expect(carrier.pause).toHaveBeenCalledTimes(1);
    await first;
    for (let n = 1; n < 1100; n++) {
      expect(carrier.resume).not.toHaveBeenCalled();
      expect(await stream.next()).toEqual({ value: { n }, done: false });
    }
    expect(carrier.resume).toHaveBeenCalledTimes(1);
  });

  it('starts the connection again when a slow reader leaves', async () => {
    const { channel, carrier, answer } = setUp();
    const stream = channel.stream('a.watch');
    const first = stream.next();
    for (let n = 0; n < 2000; n++) answer({ n });
    await first;
    await stream.return();
    expect(carrier.pause).toHaveBeenCalledTimes(1);
    expect(carrier.resume).toHaveBeenCalledTimes(1);
  });

  it('does not keep the answer of an RPC from a reader that waits for one before it reads on', async () => {
    const { channel, carrier, sent, answer } = setUp();
    const stream = channel.stream('a.watch');
    const first = stream.next();
    for (let n = 0; n < 2000; n++) answer({ n });
    await first;
    expect(carrier.resume).not.toHaveBeenCalled();
    const asked = channel.rpc('a.get');
    expect(carrier.resume).toHaveBeenCalledTimes(1);
    answer({ n: 2000 }, 0, sent[0]);
    expect(carrier.pause).toHaveBeenCalledTimes(1);
    answer({ answered: true }, 0, sent[1]);
    expect(await asked).toEqual({ answered: true });
    expect(carrier.pause).toHaveBeenCalledTimes(2);
  });
});

describe('an event', () => {
  it('reaches the listeners of a prefix of its topic', () => {
    const { channel, event, sent } = setUp();
    const [heard, other] = [vi.fn(), vi.fn()];
    channel.subscribe('heartbeat', heard);
    channel.subscribe('job', other);
    expect(sent.map(({ topic, payload }) => [topic, decodeJson(payload)])).toEqual([
      ['event.subscribe', { topic: 'heartbeat' }],
      ['event.subscribe', { topic: 'job' }],
    ]);
    event('heartbeat.pulse', text('{"epoch":1}'));
    event('heartbeat.pulse');
    event('nothing.else');
    expect(heard.mock.calls).toEqual([
      ['heartbeat.pulse', { epoch: 1 }],
      ['heartbeat.pulse', {}],
    ]);
    expect(other).not.toHaveBeenCalled();
  });

  it('is subscribed once and unsubscribed once, however many listen', () => {
    const { channel, event, sent } = setUp();
    const [one, other] = [vi.fn(), vi.fn()];
    const ends = [channel.subscribe('a', one), channel.subscribe('a', other)];
    ends[0]?.();
    ends[0]?.();
    event('a.b');
    expect([one, other].map(({ mock }) => mock.calls.length)).toEqual([0, 1]);
    ends[1]?.();
    expect(sent.map(({ topic }) => topic)).toEqual(['event.subscribe', 'event.unsubscribe']);
  });

  it('whose payload is no JSON is passed over', () => {
    const { channel, event } = setUp();
    const heard = vi.fn();
    channel.subscribe('a', heard);
    event('a.raw', Buffer.from([1, 2, 3]));
    expect(heard).not.toHaveBeenCalled();
  });
});

describe('a channel that fails', () => {
  const reason = new FluxError(Errno.connectionReset, { text: 'the broker has closed the connection' });

  it('fails all pending and all later requests with its one reason', async () => {
    const { channel, sent } = setUp();
    const waiting = [
      failureOf(channel.rpc('a.b')),
      failureOf(channel.rpc('a.b', {}, { timeoutMs: 1000 })),
      failureOf(channel.stream('a.watch').next()),
    ];
    channel.fail(reason);
    channel.fail(new FluxError(Errno.canceled));
    const later = [failureOf(channel.rpc('a.b')), failureOf(channel.stream('a.watch').next())];
    expect(await Promise.all([...waiting, ...later])).toEqual(Array(5).fill(reason));
    expect(sent).toHaveLength(3);
  });

  it('lets a reader have what came before', async () => {
    const { channel, sent, answer } = setUp();
    const stream = channel.stream('a.watch');
    const first = stream.next();
    answer({ n: 1 });
    answer({ n: 2 });
    channel.fail(reason);
    expect([await first, await stream.next()]).toMatchObject([{ value: { n: 1 } }, { value: { n: 2 } }]);
    expect(await failureOf(stream.next())).toBe(reason);
    expect(sent).toHaveLength(1);
  });

  it('sends nothing for streams and listeners that end afterwards', async () => {
    const { channel, sent, answer } = setUp();
    const stream = channel.stream('a.watch', {}, { cancelTopic: 'a.cancel' });
    const first = stream.next();
    answer({});
    await first;
    const end = channel.subscribe('a', () => undefined);
    channel.fail(reason);
    await stream.return();
    end();
    channel.subscribe('a', () => undefined);
    await settled();
    expect(sent.map(({ topic }) => topic)).toEqual(['a.watch', 'event.subscribe']);
  });
});
