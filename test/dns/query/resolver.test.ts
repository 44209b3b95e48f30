import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HostPort } from '../../../agent/address.ts';
import { type Question, reverseName } from '../../../agent/dns/query/dns-message.ts';
import { createResolver } from '../../../agent/dns/query/resolver.ts';
import { type NameserverOptions, startNameserver } from '../../../entrypoint/demo/nameserver.ts';

const service = 'flux-service.default.svc.cluster.local';
const name = `mc-0.${service}`;
const address = '10.88.0.2';
const aQuestion = { name, type: 'A' };
const never = new AbortController().signal;

/** What most tests look at, from a resolver that knows nothing yet. */
async function ask(question: Question, servers: readonly HostPort[], signal: AbortSignal) {
  const reply = await createResolver(servers).ask(question, signal);
  return reply && { rcode: reply.rcode, addresses: reply.addresses };
}

async function nameserver(options: Partial<NameserverOptions> = {}) {
  const server = await startNameserver({ address: '127.0.0.1', ...options });
  onTestFinished(() => server.close());
  server.publish(name, address);
  server.publish(name, 'fd88::2');
  return server;
}

/** Time passes for the resolver when a test says so, however long an answer takes on a busy machine. */
function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

type Reply = (bytes: Uint8Array) => void;

/** A name server of a test's own: `answer` is given each query as it came, and a way to send bytes back. */
async function serveUdp(answer: (query: DecodedPacket, reply: Reply, from: RemoteInfo) => void, port = 0) {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.on('message', (bytes, from) =>
    answer(decode(bytes), (reply) => socket.send(reply, from.port, from.address), from),
  );
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return { host: '127.0.0.1', port: socket.address().port };
}

/** The same over both: UDP answers are cut short (TC), `answer` serves a TCP client. */
async function serveTruncated(answer: (socket: Socket, query: DecodedPacket) => void) {
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => answer(socket, decode(bytes.subarray(2))));
  });
  onTestFinished(() => void tcp.close());
  // Not every port that is free for UDP is free for TCP: TCP chooses first, and its choice is tried again where UDP has it.
  for (let triesLeft = 10; ; triesLeft -= 1) {
    await once(tcp.listen(0, '127.0.0.1'), 'listening');
    const { port } = tcp.address() as AddressInfo;
    try {
      return await serveUdp((query, reply) => reply(encode({ ...answerTo(query), flags: truncated })), port);
    } catch (error) {
      if (triesLeft <= 1) throw error;
      tcp.close();
      await once(tcp, 'close');
    }
  }
}

const truncated = 0x200;

const answerTo = (query: DecodedPacket, data = address): Packet => ({
  type: 'response',
  id: query.id ?? 0,
  questions: query.questions ?? [],
  answers: [{ type: 'A', class: 'IN', name, ttl: 5, data }],
});

const right = { rcode: 'NOERROR', addresses: [address] };

describe('one question', () => {
  it.each<[string, Question, unknown]>([
    ['an IPv4 address', aQuestion, right],
    ['an IPv6 address', { name, type: 'AAAA' }, { rcode: 'NOERROR', addresses: ['fd88:0:0:0:0:0:0:2'] }],
    [
      'that a name exists, by a type that nobody serves',
      { name, type: 'UNKNOWN_65280' },
      { rcode: 'NOERROR', addresses: [] },
    ],
    [
      'that it does not',
      { name: `mc-9.${service}`, type: 'UNKNOWN_40000' },
      { rcode: 'NXDOMAIN', addresses: [] },
    ],
    [
      'that a server is not responsible',
      { name: 'example.org', type: 'A' },
      { rcode: 'REFUSED', addresses: [] },
    ],
  ])('learns %s', async (_, question, reply) => {
    const server = await nameserver();
    expect(normalized(await ask(question, [server_(server)], never))).toEqual(reply);
  });

  it('is asked once, of the first server, as an absolute name', async () => {
    const [first, second] = [await nameserver(), await nameserver()];
    await ask(aQuestion, [server_(first), server_(second)], never);
    expect(first.queries).toMatchObject([{ name, type: 'A', transport: 'udp', rcode: 'NOERROR' }]);
    expect(second.queries).toEqual([]);
  });

  it('asks for recursion, with a new id each time', async () => {
    const queries: DecodedPacket[] = [];
    const server = await serveUdp((query, reply) => {
      queries.push(query);
      reply(encode(answerTo(query)));
    });
    for (let count = 0; count < 8; count++) await ask(aQuestion, [server], never);
    expect(queries.every((query) => query.flag_rd && query.questions?.length === 1)).toBe(true);
    expect(new Set(queries.map((query) => query.id)).size).toBeGreaterThan(6);
  });

  it('is asked again over TCP when the answer is cut short', async () => {
    const server = await nameserver();
    const addresses = Array.from({ length: 60 }, (_, index) => `10.88.1.${index}`);
    for (const [index, each] of addresses.entries()) server.publish(`mc-${index + 10}.${service}`, each);
    const reply = await ask({ name: service, type: 'A' }, [server_(server)], never);
    expect(reply?.rcode).toBe('NOERROR');
    expect([...(reply?.addresses ?? [])].sort()).toEqual([address, ...addresses].sort());
    expect(server.queries.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it.each<[string, (socket: Socket, whole: Buffer) => void]>([
    ['in one piece', (socket, whole) => socket.write(whole)],
    ['byte by byte', (socket, whole) => whole.forEach((byte) => void socket.write(Buffer.from([byte])))],
    ['with more behind it', (socket, whole) => socket.write(Buffer.concat([whole, whole]))],
    ['and closed', (socket, whole) => socket.end(whole)],
  ])('reads an answer over TCP that comes %s', async (_, send) => {
    const server = await serveTruncated((socket, query) => {
      socket.setNoDelay(true);
      send(socket, streamEncode(answerTo(query)));
    });
    expect(await ask(aQuestion, [server], never)).toEqual(right);
  });

  it('follows an alias that the server resolved', async () => {
    const server = await serveUdp((query, reply) =>
      reply(
        encode({
          ...answerTo(query),
          answers: [
            { type: 'CNAME', class: 'IN', name, ttl: 5, data: 'elsewhere.example' },
            { type: 'A', class: 'IN', name: 'elsewhere.example', ttl: 5, data: '10.0.0.9' },
          ],
        }),
      ),
    );
    expect(await ask(aQuestion, [server], never)).toEqual({ rcode: 'NOERROR', addresses: ['10.0.0.9'] });
  });

  it('takes an answer whose name is in other case', async () => {
    const server = await serveUdp((query, reply) =>
      reply(
        encode({ ...answerTo(query), questions: [{ type: 'A', class: 'IN', name: name.toUpperCase() }] }),
      ),
    );
    expect(await ask(aQuestion, [server], never)).toEqual(right);
  });

  it('is answered over IPv6', async () => {
    const server = await nameserver({ address: '::1' });
    expect(await ask(aQuestion, [server_(server)], never)).toEqual(right);
  });

  it.each([
    ['SERVFAIL', 2],
    ['NXDOMAIN', 3],
    ['NOTIMP', 4],
    ['REFUSED', 5],
  ])('passes %s on', async (rcode, number) => {
    const server = await serveUdp((query, reply) =>
      reply(encode({ ...answerTo(query), flags: number, answers: [] })),
    );
    expect(await ask(aQuestion, [server], never)).toEqual({ rcode, addresses: [] });
  });
});

describe('a server that does not answer', () => {
  const tcpThat = (behave: (socket: Socket) => void) => () => serveTruncated((socket) => behave(socket));

  it.each<[string, () => { host: string; port: number } | Promise<{ host: string; port: number }>]>([
    ['is silent', () => serveUdp(() => undefined)],
    ['is gone, its address refusing', closedPort],
    ['cannot be reached at all', () => ({ host: '255.255.255.255', port: 53 })],
    ['sends garbage', () => serveUdp((_, reply) => reply(Buffer.from('garbage')))],
    [
      'cuts its answer short and refuses TCP',
      () => serveUdp((query, reply) => reply(encode({ ...answerTo(query), flags: truncated }))),
    ],
    ['cuts its answer short and closes TCP', tcpThat((socket) => socket.end())],
    ['cuts its answer short and breaks TCP off', tcpThat((socket) => socket.resetAndDestroy())],
    ['cuts its answer short and is silent over TCP', tcpThat(() => undefined)],
    ['cuts its answer short and sends garbage over TCP', tcpThat((socket) => socket.write('\0\u0003abc'))],
  ])('that %s, is passed over, and alone it is no answer', async (_, make) => {
    const dead = await make();
    const live = await nameserver();
    const replies = Promise.all(
      [[dead], [dead, server_(live)]].map((servers) => ask(aQuestion, servers, never)),
    );
    expect(await replies).toEqual([undefined, right]);
  });

  it('does not matter once another has answered', async () => {
    const live = await nameserver();
    const asked: unknown[] = [];
    const dead = await serveUdp((query) => asked.push(query));
    expect(await ask(aQuestion, [server_(live), dead], never)).toEqual(right);
    expect(asked).toEqual([]);
  });

  it('is all there is where there is none', async () => {
    expect(await ask(aQuestion, [], never)).toBeUndefined();
  });
});

describe('several servers', () => {
  it('of which the first is dead: its time is paid once, then the one that answers is asked first', async () => {
    const asked: string[] = [];
    const dead = await serveUdp(() => asked.push('dead'));
    const live = await serveUdp((query, reply) => {
      asked.push('live');
      reply(encode(answerTo(query)));
    });
    const resolver = createResolver([dead, live]);
    holdTimers();
    const first = resolver.ask(aQuestion, never);
    await expect.poll(() => asked).toEqual(['dead']);
    vi.advanceTimersToNextTimer();
    expect(await first).toMatchObject(right);
    for (let count = 0; count < 2; count++) expect(await resolver.ask(aQuestion, never)).toMatchObject(right);
    expect(asked).toEqual(['dead', 'live', 'live', 'live']);
  });

  it.each([
    ['SERVFAIL', 2],
    ['NOTIMP', 4],
    ['REFUSED', 5],
  ])('of which the first answers %s: the next is asked at once', async (_, code) => {
    const unwilling = await serveUdp((query, reply) =>
      reply(encode({ ...answerTo(query), flags: code, answers: [] })),
    );
    const live = await nameserver();
    expect(await ask(aQuestion, [unwilling, server_(live)], never)).toEqual(right);
  });

  it('that all cannot help: the last word counts', async () => {
    const saying = (flags: number) =>
      serveUdp((query, reply) => reply(encode({ ...answerTo(query), flags, answers: [] })));
    const reply = await ask(aQuestion, [await saying(2), await saying(5)], never);
    expect(reply).toEqual({ rcode: 'REFUSED', addresses: [] });
  });

  it('of which the first is late: its answer still counts', async () => {
    let late = () => {};
    const slow = await serveUdp((query, reply) => {
      late = () => reply(encode(answerTo(query)));
    });
    const silent = await serveUdp(() => late());
    expect(await ask(aQuestion, [slow, silent], never)).toEqual(right);
  });
});

describe('a datagram that is lost', () => {
  it.each([1, 3])(
    '%i times, is sent again with the same id, before the deadline of the question',
    async (lost) => {
      const ids: unknown[] = [];
      const server = await serveUdp((query, reply) => {
        if (ids.push(query.id) > lost) reply(encode(answerTo(query)));
      });
      expect(await ask(aQuestion, [server], never)).toEqual(right);
      expect(ids).toEqual(Array(lost + 1).fill(ids[0]));
    },
  );
});

describe('the DO bit', () => {
  const dnssecOk = { ...aQuestion, dnssecOk: true };

  it('travels with a question, and so does CD', async () => {
    const server = await nameserver();
    const { ask } = createResolver([server_(server)]);
    expect(await ask({ ...dnssecOk, checkingDisabled: true }, never)).toMatchObject(right);
    expect(server.queries).toMatchObject([{ dnssecOk: true, checkingDisabled: true }]);
  });

  it.each<[string, (query: DecodedPacket) => Packet]>([
    ['FORMERR', (query) => ({ ...answerTo(query), flags: 1, answers: [] })],
    ['NOTIMP', (query) => ({ ...answerTo(query), flags: 4, answers: [] })],
    [
      'FORMERR without the question',
      (query) => ({ ...answerTo(query), flags: 1, answers: [], questions: [] }),
    ],
  ])('is never sent again to a server that answers %s to it', async (_, refuse) => {
    const asked: boolean[] = [];
    const server = await serveUdp((query, reply) => {
      const edns = (query.additionals ?? []).length > 0;
      asked.push(edns);
      reply(encode(edns ? refuse(query) : answerTo(query)));
    });
    const { ask } = createResolver([server]);
    for (let count = 0; count < 2; count++)
      expect(await ask(dnssecOk, never)).toMatchObject({ ...right, dnssecOkRefused: true });
    expect(asked).toEqual([true, false, false]);
  });
});

describe('what else is read off an answer', () => {
  it('the TTL of a negative answer: the lesser of the SOA record’s TTL and its minimum (RFC 2308)', async () => {
    const soa = (ttl: number, minimum: number) => ({
      type: 'SOA' as const,
      name: service,
      ttl,
      data: { mname: 'ns', rname: 'me', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
    });
    const seconds: unknown[] = [];
    for (const [ttl, minimum] of [
      [30, 5],
      [3, 30],
    ] as const) {
      const server = await serveUdp((query, reply) =>
        reply(encode({ ...answerTo(query), flags: 3, answers: [], authorities: [soa(ttl, minimum)] })),
      );
      seconds.push((await createResolver([server]).ask(aQuestion, never))?.ttl);
    }
    expect(seconds).toEqual([5, 3]);
    const server = await serveUdp((query, reply) =>
      reply(encode({ ...answerTo(query), flags: 3, answers: [] })),
    );
    expect(await createResolver([server]).ask(aQuestion, never)).not.toHaveProperty('ttl');
  });

  it('the addresses in the additional section of an SRV record, and the names of PTR records', async () => {
    const server = await serveUdp((query, reply) => {
      const type = query.questions?.[0]?.type;
      const packet = { ...answerTo(query), answers: [] };
      const srv = { type: 'SRV' as const, name, data: { target: name, port: 8050 } };
      const ptr = { type: 'PTR' as const, name: 'x', data: `MC-0.${service}` };
      const a = { type: 'A' as const, name: name.toUpperCase(), data: address };
      reply(
        encode(
          type === 'SRV' ? { ...packet, answers: [srv], additionals: [a] } : { ...packet, answers: [ptr] },
        ),
      );
    });
    const { ask } = createResolver([server]);
    expect(await ask({ name, type: 'SRV' }, never)).toMatchObject({
      addresses: [],
      additional: [{ name, address }],
    });
    expect(await ask({ name: reverseName(address), type: 'PTR' }, never)).toMatchObject({ pointers: [name] });
  });

  it.each([
    ['10.88.0.2', '2.0.88.10.in-addr.arpa'],
    ['::1', `${'1.'}${'0.'.repeat(31)}ip6.arpa`],
    ['fd88::2', `2.${'0.'.repeat(27)}8.8.d.f.ip6.arpa`],
    ['1:2:3:4:5:6:7:8', '8.0.0.0.7.0.0.0.6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.ip6.arpa'],
    ['fd88::', `${'0.'.repeat(28)}8.8.d.f.ip6.arpa`],
  ])('the reverse name of %s', (each, reverse) => {
    expect(reverseName(each)).toBe(reverse);
  });
});

describe('what is no answer to the question', () => {
  const wrong = '6.6.6.6';

  it.each<[string, (forged: Packet) => Packet]>([
    ['another id', (forged) => ({ ...forged, id: ((forged.id ?? 0) + 1) % 65_536 })],
    [
      'another name',
      (forged) => ({ ...forged, questions: [{ type: 'A', class: 'IN', name: 'evil.example' }] }),
    ],
    ['another type', (forged) => ({ ...forged, questions: [{ type: 'AAAA', class: 'IN', name }] })],
    ['no question', (forged) => ({ ...forged, questions: [] })],
    ['a query', (forged) => ({ ...forged, type: 'query' })],
  ])('%s is ignored, and the right answer behind it is taken', async (_, forge) => {
    const server = await serveUdp((query, reply) => {
      reply(encode(forge(answerTo(query, wrong))));
      reply(encode(answerTo(query)));
    });
    expect(await ask(aQuestion, [server], never)).toEqual(right);
  });

  it('an answer from elsewhere is ignored, however right', async () => {
    const elsewhere = createSocket('udp4');
    onTestFinished(() => void elsewhere.close());
    const server = await serveUdp((query, reply, from) => {
      elsewhere.send(encode(answerTo(query, wrong)), from.port, from.address, () =>
        reply(encode(answerTo(query))),
      );
    });
    expect(await ask(aQuestion, [server], never)).toEqual(right);
  });

  it('an answer that comes twice is taken once', async () => {
    const server = await serveUdp((query, reply) => {
      for (let count = 0; count < 3; count++) reply(encode(answerTo(query)));
    });
    expect(await ask(aQuestion, [server], never)).toEqual(right);
    expect(await ask(aQuestion, [server], never)).toEqual(right);
  });

  it('garbage is ignored, also with the right id, and so is an answer cut at any byte', async () => {
    const whole = encode({
      ...answerTo({ id: 0 } as DecodedPacket),
      questions: [{ type: 'A', class: 'IN', name }],
    });
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(whole.length - 1).map((length) => whole.subarray(0, length)),
      // A header that promises records, and then noise, with pointers in it.
      fc
        .tuple(fc.nat(3), fc.array(fc.oneof(fc.nat(255), fc.constant(0xc0)), { maxLength: 60 }))
        .map(([count, noise]) => Buffer.from([0, 0, 0x84, 0, 0, 1, 0, count, 0, count, 0, 0, ...noise])),
    );
    let sent: Uint8Array[] = [];
    const server = await serveUdp((query, reply) => {
      for (const bytes of sent) {
        const own = Buffer.from(bytes);
        if (own.length > 1) own.writeUInt16BE(query.id ?? 0);
        reply(own);
      }
      reply(encode(answerTo(query)));
    });
    await fc.assert(
      fc.asyncProperty(fc.array(garbage, { maxLength: 5 }), async (datagrams) => {
        sent = datagrams;
        expect(await ask(aQuestion, [server], never)).toEqual(right);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a question that is given up', () => {
  it('before it is asked, is never asked', async () => {
    const server = await nameserver();
    const reason = new Error('the pod stops');
    await expect(ask(aQuestion, [server_(server)], AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.queries).toEqual([]);
  });

  it.each<[string, (stop: () => void) => Promise<{ host: string; port: number }>]>([
    ['UDP', (stop) => serveUdp(stop)],
    ['TCP', (stop) => serveTruncated(stop)],
  ])('while %s is waited for, ends at once with the reason, and asks no other server', async (_, serve) => {
    const live = await nameserver();
    const reason = new Error('the pod stops');
    const stopping = new AbortController();
    const server = await serve(() => stopping.abort(reason));
    holdTimers();
    await expect(ask(aQuestion, [server, server_(live)], stopping.signal)).rejects.toBe(reason);
    expect(live.queries).toEqual([]);
  });
});

const server_ = ({ address: host, port }: { address: string; port: number }) => ({ host, port });

/** dns-packet writes IPv6 addresses one way or the other: what matters is which they are. */
const normalized = (reply: Awaited<ReturnType<typeof ask>>) =>
  reply && {
    ...reply,
    addresses: reply.addresses.map((each) => each.replace(/^fd88::2$/, 'fd88:0:0:0:0:0:0:2')),
  };

async function closedPort() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return { host: '127.0.0.1', port };
}
