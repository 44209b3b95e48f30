import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CHECKING_DISABLED } from 'dns-packet';
import { isIPv6 } from '../../agent/address.ts';
import { errnoOf } from '../../agent/errors.ts';
import { type Answered, answerTo, encodeWithin, parseRequest, refusal, udpSizeOf } from './dns-packet.ts';
import { canonicalName, makeZone, type Zone } from './zone.ts';

/** One question as it was answered. */
export interface Query {
  /** When, by the server's clock, in milliseconds. */
  at: number;
  /** The address that asked. */
  from: string;
  /** Lower case, without the root's dot. */
  name: string;
  /** As dns-packet names it: `A`, `AAAA`, or `UNKNOWN_65280` for a type that it has no name for. */
  type: string;
  dnssecOk: boolean;
  checkingDisabled: boolean;
  /** NOERROR, NXDOMAIN, REFUSED, NOTIMP or BADVERS. */
  rcode: string;
  transport: 'udp' | 'tcp';
}

export interface NameserverOptions {
  /** The IP address to listen on. */
  address: string;
  /** Default 0: one that is free for both UDP and TCP. */
  port?: number;
  /** The cluster domain, default `cluster.local`. */
  zone?: string;
  /** Seconds for which negative answers (NXDOMAIN and NODATA) are cached; 0 or absent: they are not. */
  negativeTtl?: number;
  /** Seconds for which answers are cached; 0 or absent: they are not. */
  positiveTtl?: number;
  /** A port of the Service: pods' names then have SRV records. */
  servicePort?: number;
  /** The clock, in milliseconds. */
  now?: () => number;
}

export interface Nameserver extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Makes a pod's name, and its Service's, answer with this address too. Throws a RangeError for what cannot be served. */
  publish(name: string, address: string): void;
  /** Takes back one address of a name, or all of them. What is cached stays cached. */
  withdraw(name: string, address?: string): void;
  /** What was asked, oldest first; the last 100,000. */
  readonly queries: readonly Query[];
  close(): Promise<void>;
}

/** The TTL of records that are not cached here: the default of CoreDNS's `kubernetes` plugin (`ttl`), in seconds. */
const PLUGIN_TTL = 5;
/** As many entries as CoreDNS's `cache` plugin keeps of each kind by default. */
const CACHE_CAPACITY = 9984;
const QUERY_CAPACITY = 100_000;
/** Idle TCP clients are let go after this long (RFC 7766, section 6.2.3: in the order of seconds). */
const TCP_IDLE_MS = 10_000;
/**
 * An authoritative nameserver for a headless Service that answers, and caches, as CoreDNS does in a cluster.
 *
 * The cache is keyed by name, type, class, DO and CD, for negative answers too (CoreDNS `plugin/cache/cache.go`, hash): the negative
 * answer of one type stays while another type is answered. Names outside the domain are REFUSED. Malformed packets get no answer.
 * Rejects with the system's error if the address and port cannot be had.
 */
export async function startNameserver(options: NameserverOptions): Promise<Nameserver> {
  const zone = makeZone(options.zone ?? 'cluster.local', options.servicePort);
  const now = options.now ?? Date.now;
  const queries: Query[] = [];
  const find = cached(zone, { positive: options.positiveTtl ?? 0, negative: options.negativeTtl ?? 0, now });

  const reply = (bytes: Buffer, from: string, transport: Query['transport']): Buffer | undefined => {
    const request = parseRequest(bytes);
    if (request === undefined) return undefined;
    const { question, edns } = request;
    const query = {
      at: now(),
      from,
      name: canonicalName(question.name),
      type: question.type,
      dnssecOk: edns?.flag_do ?? false,
      checkingDisabled: (request.flags & CHECKING_DISABLED) !== 0,
      transport,
    };
    const found = refusal(request) ?? find(query);
    if (queries.push({ ...query, rcode: found.rcode }) > QUERY_CAPACITY) queries.shift();
    return encodeWithin(transport === 'udp' ? udpSizeOf(request) : 0xffff, answerTo(request, found, zone));
  };

  const { udp, tcp, port } = await listen(options.address, options.port ?? 0);
  udp.on('message', (bytes, peer) => {
    const answer = peer.port === 0 ? undefined : reply(bytes, peer.address, 'udp');
    // A client that has disconnected is not this server's concern.
    if (answer !== undefined) udp.send(answer, peer.port, peer.address, () => {});
  });
  udp.on('error', () => {});
  const clients = new Set<Socket>();
  tcp.on('connection', (socket) => {
    clients.add(socket.on('close', () => clients.delete(socket)));
    serveStream(socket, (bytes) => reply(bytes, socket.remoteAddress ?? '', 'tcp'));
  });

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(udp, tcp, clients);
    return closing;
  };
  return {
    address: options.address,
    port,
    publish: zone.publish,
    withdraw: zone.withdraw,
    queries,
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Key = Pick<Query, 'name' | 'type' | 'dnssecOk' | 'checkingDisabled'>;

/** The zone's findings, remembered for `positive` and `negative` seconds. */
function cached(zone: Zone, ttls: { positive: number; negative: number; now: () => number }) {
  const entries = new Map<string, { at: number; answer: Answered }>();
  return ({ name, type, dnssecOk, checkingDisabled }: Key): Answered => {
    const key = `${name} ${type} ${dnssecOk} ${checkingDisabled}`;
    const known = entries.get(key);
    const left = known === undefined ? 0 : known.answer.ttl - (ttls.now() - known.at) / 1000;
    if (known !== undefined && left > 0) return { ...known.answer, ttl: Math.ceil(left) };
    entries.delete(key);

    const found = zone.find(name, type);
    const positive = found.addresses.length > 0 || found.target || (found.pointers ?? []).length > 0;
    const keep = found.rcode === 'REFUSED' ? 0 : positive ? ttls.positive : ttls.negative;
    const ttl = keep > 0 ? keep : PLUGIN_TTL;
    const answer = { ...found, ttl, minimum: ttl };
    if (keep > 0) entries.set(key, { at: ttls.now(), answer });
    const oldest = entries.size > CACHE_CAPACITY ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    return answer;
  };
}

/** Answers the length-prefixed messages of a TCP client (RFC 1035, section 4.2.2) until it sends nonsense or nothing. */
function serveStream(socket: Socket, reply: (bytes: Buffer) => Buffer | undefined): void {
  let pending = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => socket.resume());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const answer = reply(pending.subarray(2, end));
      pending = pending.subarray(end);
      if (answer === undefined) return void socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      // A client that asks and never reads must not fill this process's memory.
      if (!socket.write(Buffer.concat([length, answer]))) socket.pause();
    }
  });
}

/** Both sockets on one port. A port of UDP's choice may be taken on TCP: then another is tried. */
async function listen(address: string, port: number): Promise<{ udp: UdpSocket; tcp: Server; port: number }> {
  for (let triesLeft = port === 0 ? 10 : 1; ; triesLeft -= 1) {
    const udp = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const tcp = createServer();
    try {
      udp.bind({ address, port, exclusive: true });
      await once(udp, 'listening');
      const chosen = udp.address().port;
      tcp.listen({ host: address, port: chosen, exclusive: true });
      await once(tcp, 'listening');
      return { udp, tcp, port: chosen };
    } catch (error) {
      udp.close();
      tcp.close();
      if (errnoOf(error) !== 'EADDRINUSE' || triesLeft <= 1) throw error;
    }
  }
}

async function closeAll(udp: UdpSocket, tcp: Server, clients: Iterable<Socket>): Promise<void> {
  const closed = Promise.all([once(udp, 'close'), once(tcp, 'close')]);
  udp.close();
  tcp.close();
  for (const socket of clients) socket.destroy();
  await closed;
}
