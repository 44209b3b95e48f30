/** One question to the name servers: over UDP, sent again when unanswered, over TCP when truncated (RFC 1035, RFC 7766). */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createConnection, isIP, isIPv6 } from 'node:net';
import {
  type Answer,
  CHECKING_DISABLED,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  type OptAnswer,
  type Packet,
  RECURSION_DESIRED,
  streamEncode,
} from 'dns-packet';
import type { HostPort } from '../config/kinds.ts';

export interface Question {
  /** An absolute name without its closing dot: no search list is ever tried. */
  readonly name: string;
  /** `A`, `AAAA`, ..., or `UNKNOWN_65280` for a type by its number. */
  readonly type: string;
  /** Bits that ask for the same answer by another key of CoreDNS's cache (plugin/cache keys by DO and CD). */
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
}

/** What came back. `addresses` are those of A and AAAA records. */
export interface Reply {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, ... (RFC 1035, RFC 6895). */
  readonly rcode: string;
  readonly addresses: readonly string[];
}

/** How long a server may take before the next one is asked: answers get lost, and losing one must not cost seconds. */
const patienceMs = 800;

/**
 * Asks one question, each server in turn, until one answers. Undefined when none did within its time.
 * Answers to other questions, with other ids or from other addresses are ignored.
 */
export async function ask(
  question: Question,
  servers: readonly HostPort[],
  signal: AbortSignal,
): Promise<Reply | undefined> {
  for (const server of servers) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    const packet = questionPacket(question);
    const answer = (await askUdp(packet, server, limit)) ?? undefined;
    const whole = answer?.flag_tc ? await askTcp(packet, server, limit) : answer;
    signal.throwIfAborted();
    if (whole) return replyOf(whole);
  }
  return undefined;
}

function questionPacket({ name, type, dnssecOk = false, checkingDisabled = false }: Question): Packet {
  return {
    type: 'query',
    id: randomInt(1, 65_536),
    flags: RECURSION_DESIRED | (checkingDisabled ? CHECKING_DISABLED : 0),
    // dns-packet's types list only the types that have a name; it encodes the others by number.
    questions: [{ name, type: type as 'A' }],
    additionals: dnssecOk ? [dnssecOkRecord] : [],
  };
}

/** RFC 6891, RFC 3225: the DO bit travels in an OPT record. */
const dnssecOkRecord: OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: DNSSEC_OK,
  flag_do: true,
  options: [],
};

function askUdp(packet: Packet, server: HostPort, limit: AbortSignal): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    const finish = (answer?: DecodedPacket) => {
      limit.removeEventListener('abort', giveUp);
      socket.close();
      resolve(answer);
    };
    const giveUp = () => finish();
    limit.addEventListener('abort', giveUp, { once: true });
    socket.once('error', giveUp);
    // A connected socket takes datagrams from nobody else.
    socket.once('connect', () => socket.send(encode(packet)));
    socket.connect(server.port, server.host);
    socket.on('message', (datagram) => {
      const answer = answerTo(packet, () => decode(datagram));
      if (answer) finish(answer);
    });
    if (limit.aborted) giveUp();
  });
}

function askTcp(packet: Packet, server: HostPort, limit: AbortSignal): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: server.host, port: server.port, signal: limit });
    let received = Buffer.alloc(0);
    const finish = (answer?: DecodedPacket) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('error', () => finish());
    socket.once('close', () => finish());
    socket.once('connect', () => socket.write(streamEncode(packet)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      finish(answerTo(packet, () => decode(received.subarray(2, 2 + received.readUInt16BE(0)))));
    });
  });
}

/** The decoded packet if it answers ours, else undefined: hostile and foreign bytes are simply not an answer. */
function answerTo(packet: Packet, read: () => DecodedPacket): DecodedPacket | undefined {
  try {
    const answer = read();
    const [asked] = packet.questions ?? [];
    const [echoed] = answer.questions ?? [];
    if (answer.type !== 'response' || answer.id !== packet.id || !asked) return undefined;
    const same = echoed?.name.toLowerCase() === asked.name.toLowerCase() && echoed.type === asked.type;
    // Of an address that is cut off dns-packet makes `10.88.0.undefined`.
    return same && addressesOf(answer).every((address) => isIP(address)) ? answer : undefined;
  } catch {
    return undefined;
  }
}

function replyOf(packet: DecodedPacket): Reply {
  return {
    // dns-packet's decoder sets `rcode`; its types leave it out.
    rcode: (packet as { rcode?: string }).rcode ?? 'NOERROR',
    addresses: addressesOf(packet),
  };
}

function addressesOf({ answers = [] }: DecodedPacket): string[] {
  const isAddress = (answer: Answer) => answer.type === 'A' || answer.type === 'AAAA';
  return answers.filter(isAddress).map((answer) => String('data' in answer ? answer.data : ''));
}
