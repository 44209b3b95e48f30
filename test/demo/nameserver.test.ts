import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NameserverOptions, startNameserver } from '../../entrypoint/demo/nameserver.ts';

const service = 'flux-service.default.svc.cluster.local';
const pod = `mc-0.${service}`;

interface Ask {
  name: string;
  type?: string;
  dnssecOk?: boolean;
  checkingDisabled?: boolean;
  /** Adds an OPT record with this UDP size. */
  udpSize?: number;
  opcode?: number;
  ednsVersion?: number;
  klass?: 'IN' | 'CH';
}

/** dns-packet knows no numeric types by type, only at run time. */
const typeName = (type: string) => type as RecordType;

function queryBytes(id: number, ask: Ask): Buffer {
  const edns = ask.dnssecOk || ask.udpSize !== undefined || ask.ednsVersion !== undefined;
  return encode({
    type: 'query',
    id,
    flags: 0x100 | (ask.checkingDisabled ? 0x10 : 0) | ((ask.opcode ?? 0) << 11),
    questions: [{ name: ask.name, type: typeName(ask.type ?? 'A'), class: ask.klass ?? 'IN' }],
    additionals: edns
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: ask.udpSize ?? 1232,
            extendedRcode: 0,
            ednsVersion: ask.ednsVersion ?? 0,
            flags: ask.dnssecOk ? 0x8000 : 0,
            flag_do: ask.dnssecOk ?? false,
            options: [],
          },
        ]
      : [],
  });
}

/** What the tests look at: dns-packet's rcode is missing from its types. */
function summaryOf(bytes: Buffer) {
  const packet = decode(bytes) as DecodedPacket & { rcode: string };
  const [answers, authorities, additionals] = [packet.answers, packet.authorities, packet.additionals].map(
    (list) => list ?? [],
  );
  const records = (answers ?? []).map((answer) => ('data' in answer ? String(answer.data) : answer.type));
  const ttls = [...(answers ?? []), ...(authorities ?? [])].map((record) =>
    'ttl' in record ? record.ttl : 0,
  );
  return {
    rcode: packet.rcode,
    records,
    ttl: ttls[0],
    authority: (authorities ?? []).map((record) => record.type),
    opt: additionals?.[0]?.type === 'OPT' ? additionals[0] : undefined,
    packet,
    size: bytes.length,
  };
}

/** A server, a clock that the test moves, and a client's socket. */
async function nameserverWith(options: Partial<NameserverOptions> = {}) {
  const clock = { seconds: 1000 };
  const server = await startNameserver({ address: '127.0.0.1', now: () => clock.seconds * 1000, ...options });
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  let id = 0;
  const send = (bytes: Buffer) => socket.send(bytes, server.port, server.address);
  const exchange = async (bytes: Buffer) => {
    const answer = once(socket, 'message');
    send(bytes);
    const [received] = await answer;
    return received as Buffer;
  };
  return {
    server,
    clock,
    send,
    exchange,
    ask: async (ask: Ask) => {
      id += 1;
      const answer = summaryOf(await exchange(queryBytes(id, ask)));
      expect(answer.packet.id).toBe(id);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await server.close();
    },
  };
}

const frame = (bytes: Buffer) =>
  Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);

describe('what is answered', () => {
  it.each<[string, Ask, string, string[], string[]]>([
    ['the pod by A', { name: pod }, 'NOERROR', ['10.88.0.2'], []],
    ['the pod by AAAA', { name: pod, type: 'AAAA' }, 'NOERROR', ['fd88::2'], []],
    [
      'the pod in any case',
      { name: 'MC-0.Flux-Service.default.SVC.cluster.local' },
      'NOERROR',
      ['10.88.0.2'],
      [],
    ],
    ['the Service, all addresses', { name: service }, 'NOERROR', ['10.88.0.2', '10.88.0.3'], []],
    ['the Service by AAAA', { name: service, type: 'AAAA' }, 'NOERROR', ['fd88::2'], []],
    ['NODATA for a type not served', { name: pod, type: 'TXT' }, 'NOERROR', [], ['SOA']],
    ['NODATA for AAAA of a pod without', { name: `mc-1.${service}`, type: 'AAAA' }, 'NOERROR', [], ['SOA']],
    ['NODATA for SRV without ports', { name: service, type: 'SRV' }, 'NOERROR', [], ['SOA']],
    ['NODATA for a private type', { name: pod, type: 'UNKNOWN_65280' }, 'NOERROR', [], ['SOA']],
    ['NODATA for a name above', { name: 'default.svc.cluster.local' }, 'NOERROR', [], ['SOA']],
    ['no such pod', { name: `mc-7.${service}` }, 'NXDOMAIN', [], ['SOA']],
    [
      'no such pod, private type',
      { name: `mc-7.${service}`, type: 'UNKNOWN_65534' },
      'NXDOMAIN',
      [],
      ['SOA'],
    ],
    ['nothing below a pod', { name: `x.${pod}` }, 'NXDOMAIN', [], ['SOA']],
    ['the SOA at the apex', { name: 'cluster.local', type: 'SOA' }, 'NOERROR', ['[object Object]'], []],
    ['refused outside the domain', { name: 'example.org' }, 'REFUSED', [], []],
    ['refused for a domain that only ends alike', { name: 'notcluster.local' }, 'REFUSED', [], []],
    ['refused for the root', { name: '.', type: 'NS' }, 'REFUSED', [], []],
    ['refused in another class', { name: pod, klass: 'CH' }, 'REFUSED', [], []],
    ['not implemented: another opcode', { name: pod, opcode: 5 }, 'NOTIMP', [], []],
  ])('%s', async (_, ask, rcode, records, authority) => {
    await using bed = await nameserverWith();
    bed.server.publish(pod, '10.88.0.2');
    bed.server.publish(pod, 'fd88::2');
    bed.server.publish(`MC-1.${service}.`, '10.88.0.3');
    expect(await bed.ask(ask)).toMatchObject({ rcode, records, authority });
  });

  it('an address: whose it is, as long as it is published', async () => {
    await using bed = await nameserverWith();
    const [reverse, reverse6] = ['2.0.88.10.in-addr.arpa', `2.${'0.'.repeat(27)}8.8.d.f.ip6.arpa`];
    for (const address of ['10.88.0.2', 'fd88::2']) bed.server.publish(pod, address);
    for (const name of [reverse, reverse6])
      expect(await bed.ask({ name, type: 'PTR' })).toMatchObject({ rcode: 'NOERROR', records: [pod] });
    expect(await bed.ask({ name: reverse })).toMatchObject({ rcode: 'NOERROR', records: [] });
    bed.server.withdraw(pod);
    expect((await bed.ask({ name: reverse, type: 'PTR' })).rcode).toBe('NXDOMAIN');
  });

  it('a pod by SRV with its address, where the Service has a port, and caches that', async () => {
    await using bed = await nameserverWith({ servicePort: 8050, positiveTtl: 30 });
    bed.server.publish(pod, '10.88.0.2');
    const { packet } = await bed.ask({ name: pod, type: 'SRV', dnssecOk: true });
    expect(packet.answers).toMatchObject([{ type: 'SRV', data: { port: 8050, target: pod } }]);
    expect(packet.additionals).toMatchObject([{ type: 'A', name: pod, data: '10.88.0.2' }, { type: 'OPT' }]);
    bed.server.withdraw(pod);
    expect((await bed.ask({ name: pod, type: 'SRV', dnssecOk: true })).rcode).toBe('NOERROR');
    expect((await bed.ask({ name: pod, type: 'SRV' })).rcode).toBe('NXDOMAIN');
  });

  it('follows publications and withdrawals when nothing is cached', async () => {
    await using bed = await nameserverWith();
    expect((await bed.ask({ name: pod })).rcode).toBe('NXDOMAIN');
    bed.server.publish(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod })).records).toEqual(['10.88.0.2']);
    bed.server.publish(pod, '10.88.0.3');
    bed.server.withdraw(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod })).records).toEqual(['10.88.0.3']);
    bed.server.withdraw(pod);
    expect((await bed.ask({ name: pod })).rcode).toBe('NXDOMAIN');
    expect((await bed.ask({ name: service })).rcode).toBe('NXDOMAIN');
  });

  it('answers as an authority and repeats the question, RD and CD', async () => {
    await using bed = await nameserverWith();
    bed.server.publish(pod, '10.88.0.2');
    const { packet } = await bed.ask({
      name: 'mC-0.flux-service.default.svc.cluster.local',
      checkingDisabled: true,
    });
    expect(packet).toMatchObject({
      type: 'response',
      flag_aa: true,
      flag_rd: true,
      flag_cd: true,
      flag_tc: false,
    });
    expect(packet.questions?.[0]?.name).toBe('mC-0.flux-service.default.svc.cluster.local');
  });

  it('reads an unknown type from the wire and repeats it there', async () => {
    await using bed = await nameserverWith();
    bed.server.publish('a.svc.cluster.local', '10.0.0.1');
    const labels = ['a', 'svc', 'cluster', 'local']
      .map((label) => String.fromCharCode(label.length) + label)
      .join('');
    const question = Buffer.concat([Buffer.from(`${labels}\0`, 'latin1'), Buffer.from([0xff, 0x01, 0, 1])]);
    const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    const answer = await bed.exchange(Buffer.concat([header, question]));
    expect(answer.subarray(12, 12 + question.length)).toEqual(question);
    expect(answer.readUInt16BE(2) & 0xf).toBe(0);
    expect(bed.server.queries).toMatchObject([{ name: 'a.svc.cluster.local', type: 'UNKNOWN_65281' }]);
  });

  it('serves another domain and IPv6', async () => {
    await using bed = await nameserverWith({ address: '::1', zone: 'Example.Net.' });
    bed.server.publish('mc-0.s.n.svc.example.net', 'fd88::9');
    expect((await bed.ask({ name: 's.n.svc.example.net', type: 'AAAA' })).records).toEqual(['fd88::9']);
    expect((await bed.ask({ name: pod })).rcode).toBe('REFUSED');
  });

  it('is understood by another resolver library', async () => {
    await using bed = await nameserverWith();
    bed.server.publish(pod, '10.88.0.2');
    const resolver = new Resolver({ tries: 1 });
    resolver.setServers([`127.0.0.1:${bed.server.port}`]);
    expect(await resolver.resolve4(pod, { ttl: true })).toEqual([{ address: '10.88.0.2', ttl: 5 }]);
    await expect(resolver.resolve6(pod)).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver.resolve4(`mc-1.${service}`)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(await resolver.resolveSoa('cluster.local')).toMatchObject({ nsname: 'ns.dns.cluster.local' });
  });

  it.each([
    [
      'a name outside the domain',
      'mc-0.example.org',
      '10.0.0.1',
      'Cannot publish "mc-0.example.org": it is not below',
    ],
    ['a host name for an address', pod, 'localhost', '"localhost" is not an IP address'],
  ])('does not publish %s', async (_, name, address, message) => {
    await using bed = await nameserverWith();
    expect(() => bed.server.publish(name, address)).toThrow(message);
  });
});

describe('the cache', () => {
  it('keeps a denial for one type while another type is answered', async () => {
    await using bed = await nameserverWith({ negativeTtl: 30 });
    expect(await bed.ask({ name: pod, type: 'UNKNOWN_65280' })).toMatchObject({ rcode: 'NXDOMAIN', ttl: 30 });
    bed.server.publish(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod, type: 'UNKNOWN_65281' })).rcode).toBe('NOERROR');
    expect((await bed.ask({ name: pod })).records).toEqual(['10.88.0.2']);
    bed.clock.seconds += 29;
    expect(await bed.ask({ name: pod, type: 'UNKNOWN_65280' })).toMatchObject({ rcode: 'NXDOMAIN', ttl: 1 });
    bed.clock.seconds += 1;
    expect((await bed.ask({ name: pod, type: 'UNKNOWN_65280' })).rcode).toBe('NOERROR');
  });

  it('counts down the TTL of a denial, not the minimum in its SOA', async () => {
    await using bed = await nameserverWith({ negativeTtl: 30 });
    await bed.ask({ name: pod });
    bed.clock.seconds += 10.5;
    const { packet } = await bed.ask({ name: pod });
    expect(packet.authorities).toMatchObject([{ type: 'SOA', ttl: 20, data: { minimum: 30 } }]);
  });

  it('keeps NODATA as it keeps NXDOMAIN', async () => {
    await using bed = await nameserverWith({ negativeTtl: 30 });
    bed.server.publish(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod, type: 'AAAA' })).records).toEqual([]);
    bed.server.publish(pod, 'fd88::2');
    expect((await bed.ask({ name: pod, type: 'AAAA' })).records).toEqual([]);
    bed.clock.seconds += 30;
    expect((await bed.ask({ name: pod, type: 'AAAA' })).records).toEqual(['fd88::2']);
  });

  it.each<[string, Omit<Ask, 'name'>]>([
    ['DO', { dnssecOk: true }],
    ['CD', { checkingDisabled: true }],
    ['DO and CD', { dnssecOk: true, checkingDisabled: true }],
  ])('knows a denial only with the bits it was asked with, not with %s', async (_, bits) => {
    await using bed = await nameserverWith({ negativeTtl: 30 });
    expect((await bed.ask({ name: pod })).rcode).toBe('NXDOMAIN');
    bed.server.publish(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod })).rcode).toBe('NXDOMAIN');
    expect((await bed.ask({ name: pod, udpSize: 1232 })).rcode).toBe('NXDOMAIN');
    expect((await bed.ask({ name: pod, ...bits })).records).toEqual(['10.88.0.2']);
  });

  it('gives the address of a dead pod until its time has run out, per DO and CD', async () => {
    await using bed = await nameserverWith({ positiveTtl: 30 });
    bed.server.publish(pod, '10.88.0.2');
    await bed.ask({ name: pod });
    bed.server.withdraw(pod, '10.88.0.2');
    bed.server.publish(pod, '10.88.0.9');
    bed.clock.seconds += 3;
    expect(await bed.ask({ name: pod.toUpperCase() })).toMatchObject({ records: ['10.88.0.2'], ttl: 27 });
    expect(await bed.ask({ name: pod, dnssecOk: true })).toMatchObject({ records: ['10.88.0.9'], ttl: 30 });
    bed.clock.seconds += 27;
    expect((await bed.ask({ name: pod })).records).toEqual(['10.88.0.9']);
  });

  it('does not keep denials when only answers are to be kept', async () => {
    await using bed = await nameserverWith({ positiveTtl: 30 });
    expect((await bed.ask({ name: pod })).rcode).toBe('NXDOMAIN');
    bed.server.publish(pod, '10.88.0.2');
    expect((await bed.ask({ name: pod })).records).toEqual(['10.88.0.2']);
  });
});

describe('the messages', () => {
  it('echo EDNS and its DO bit only when asked with it', async () => {
    await using bed = await nameserverWith();
    expect((await bed.ask({ name: pod })).opt).toBeUndefined();
    expect((await bed.ask({ name: pod, udpSize: 1232 })).opt).toMatchObject({
      flag_do: false,
      extendedRcode: 0,
    });
    expect((await bed.ask({ name: pod, dnssecOk: true })).opt).toMatchObject({ flag_do: true });
    expect((await bed.ask({ name: pod, ednsVersion: 1 })).opt).toMatchObject({
      extendedRcode: 1,
      ednsVersion: 0,
    });
    expect(bed.server.queries.map((query) => query.rcode)).toEqual([
      'NXDOMAIN',
      'NXDOMAIN',
      'NXDOMAIN',
      'BADVERS',
    ]);
  });

  it.each([
    ['512 bytes without EDNS', {}, 512],
    ['the size that the client offers', { udpSize: 900 }, 900],
    ['512 bytes even if less is offered', { udpSize: 100 }, 512],
    ['4096 bytes at most', { udpSize: 65_000 }, 4096],
  ])('are cut to %s over UDP, and whole over TCP', async (_, edns, limit) => {
    await using bed = await nameserverWith();
    const addresses = Array.from({ length: 100 }, (_, index) => `10.88.1.${index}`);
    for (const [index, address] of addresses.entries()) bed.server.publish(`mc-${index}.${service}`, address);
    const cut = await bed.ask({ name: service, ...edns });
    expect(cut.packet.flag_tc).toBe(true);
    expect(cut.size).toBeLessThanOrEqual(limit);
    // One more answer (its name, 10 bytes of header, 4 of address) would not have fitted.
    expect(cut.size).toBeGreaterThan(limit - service.length - 2 - 14);
    expect(cut.records).toEqual(addresses.slice(0, cut.records.length));

    const socket = connect(bed.server.port, '127.0.0.1');
    socket.end(frame(queryBytes(7, { name: service })));
    const whole = Buffer.concat(await socket.toArray());
    expect(whole.readUInt16BE(0)).toBe(whole.length - 2);
    expect(summaryOf(whole.subarray(2))).toMatchObject({
      records: addresses,
      packet: { id: 7, flag_tc: false },
    });
  });

  it('may arrive over TCP in any slices', async () => {
    await using bed = await nameserverWith();
    bed.server.publish(pod, '10.88.0.2');
    const socket = connect({ port: bed.server.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const bytes = Buffer.concat([1, 2].map((id) => frame(queryBytes(id, { name: pod }))));
    for (const byte of bytes) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
    socket.end();
    const received = Buffer.concat(await socket.toArray());
    const length = received.readUInt16BE(0);
    expect(decode(received.subarray(2, 2 + length)).id).toBe(1);
    expect(decode(received.subarray(4 + length)).id).toBe(2);
    expect(bed.server.queries.map((query) => query.transport)).toEqual(['tcp', 'tcp']);
  });

  it('are recorded with their sender, bits and outcome', async () => {
    await using bed = await nameserverWith();
    await bed.ask({ name: pod.toUpperCase(), type: 'AAAA', dnssecOk: true, checkingDisabled: true });
    expect(bed.server.queries).toEqual([
      {
        at: 1_000_000,
        from: '127.0.0.1',
        name: pod,
        type: 'AAAA',
        dnssecOk: true,
        checkingDisabled: true,
        rcode: 'NXDOMAIN',
        transport: 'udp',
      },
    ]);
  });
});

describe('hostile input', () => {
  const valid = queryBytes(1, { name: pod, dnssecOk: true });
  const withBytes = (at: number, ...bytes: number[]) =>
    Buffer.concat([valid.subarray(0, at), Buffer.from(bytes), valid.subarray(at + bytes.length)]);
  const cases: [string, Buffer][] = [
    ['an empty packet', Buffer.alloc(0)],
    ['less than a header', valid.subarray(0, 11)],
    ['a header without its question', valid.subarray(0, 12)],
    ['half a question', valid.subarray(0, 30)],
    ['a response', withBytes(2, 0x80)],
    ['no question', withBytes(4, 0, 0)],
    ['two questions', withBytes(4, 0, 2)],
    ['65535 answers', withBytes(6, 0xff, 0xff)],
    ['a name that points at itself', withBytes(12, 0xc0, 12)],
    ['a label that is no UTF-8', withBytes(13, 0xff)],
    ['a label with a dot in it', withBytes(14, 0x2e)],
  ];

  it.each(cases)('gets no answer: %s', async (_, bytes) => {
    await using bed = await nameserverWith();
    bed.send(bytes);
    // Loopback keeps the order: had the first been answered, its answer would come first.
    expect((await bed.ask({ name: service })).packet.questions?.[0]?.name).toBe(service);
    expect(bed.server.queries).toHaveLength(1);
  });

  it.each(cases)('ends a TCP connection: %s', async (_, bytes) => {
    await using bed = await nameserverWith();
    const socket = connect(bed.server.port, '127.0.0.1');
    socket.write(frame(bytes));
    expect(await socket.toArray()).toEqual([]);
    expect(bed.server.queries).toHaveLength(0);
  });

  it('never stops the server, whatever bytes come', async () => {
    await using bed = await nameserverWith();
    const mutated = fc
      .array(fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })), {
        minLength: 1,
        maxLength: 6,
      })
      .map((changes) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const any = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
    const socket = connect(bed.server.port, '127.0.0.1').on('error', () => {});
    for (const bytes of fc.sample(fc.oneof(mutated, any), 500)) {
      bed.send(bytes);
      socket.write(bytes);
    }
    const answered = new Resolver({ tries: 3 });
    answered.setServers([`127.0.0.1:${bed.server.port}`]);
    bed.server.publish(pod, '10.88.0.2');
    expect(await answered.resolve4(pod)).toEqual(['10.88.0.2']);
    socket.destroy();
  });
});

describe('the sockets', () => {
  it('close with their clients, and free the port', async () => {
    const server = await startNameserver({ address: '127.0.0.1' });
    const client = connect(server.port, '127.0.0.1').on('error', () => {});
    await once(client, 'connect');
    const gone = once(client, 'close');
    await server.close();
    await server.close();
    await gone;
    await using again = await startNameserver({ address: '127.0.0.1', port: server.port });
    expect(again.port).toBe(server.port);
  });

  it('refuse a port that is taken', async () => {
    await using first = await startNameserver({ address: '127.0.0.1' });
    await expect(startNameserver({ address: '127.0.0.1', port: first.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});
