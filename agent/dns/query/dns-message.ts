/** A question as a DNS message, and what a message answers: data in, data out. */
import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import {
  type Answer,
  CHECKING_DISABLED,
  type DecodedPacket,
  DNSSEC_OK,
  type OptAnswer,
  type Packet,
  RECURSION_DESIRED,
  type SoaAnswer,
} from 'dns-packet';

/** Bits that ask for the same records by another key of CoreDNS's cache (plugin/cache/cache.go, hash: DO and CD are in the key). */
export interface KeyBits {
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
}

export interface Question extends KeyBits {
  /** An absolute name without its closing dot: no search list is ever tried. */
  readonly name: string;
  /** `A`, `AAAA`, `SRV`, `PTR`, or `UNKNOWN_65280` for a type by its number. */
  readonly type: string;
}

/** What came back. */
export interface Reply {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, ... (RFC 1035, RFC 6895). */
  readonly rcode: string;
  /** Those of the answer's A and AAAA records. */
  readonly addresses: readonly string[];
  /** What the answer's PTR records name, in lower case, without the closing dot. */
  readonly pointers: readonly string[];
  /** Addresses that came along for other names, in lower case: with an SRV record, those of its target (RFC 2782). */
  readonly additional: readonly { readonly name: string; readonly address: string }[];
  /**
   * For how many seconds this may be kept: the least TTL of the answer, or of a denial the lesser of the SOA's TTL and its MINIMUM
   * (RFC 2308, section 5).
   */
  readonly keptSeconds?: number;
  /** False where DO was asked for and this server cannot be asked so. */
  readonly dnssecOkRefused?: boolean;
}

export function questionPacket({ name, type, dnssecOk, checkingDisabled }: Question): Packet {
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

/** The decoded packet if it answers ours, else undefined: hostile and foreign bytes are simply not an answer. */
export function answerTo(packet: Packet, read: () => DecodedPacket): DecodedPacket | undefined {
  try {
    const answer = read();
    const [asked] = packet.questions ?? [];
    const [echoed] = answer.questions ?? [];
    if (answer.type !== 'response' || answer.id !== packet.id || !asked) return undefined;
    // A server that cannot parse a question need not repeat it (RFC 6891, section 7: FORMERR to an unknown OPT).
    const same = echoed
      ? plainName(echoed.name) === plainName(asked.name) && echoed.type === asked.type
      : rcodeOf(answer) === 'FORMERR';
    // Of an address that is cut off dns-packet makes `10.88.0.undefined`.
    const whole = [...addressRecords(answer.answers), ...addressRecords(answer.additionals)];
    return same && whole.every(({ address }) => isIP(address)) ? answer : undefined;
  } catch {
    return undefined;
  }
}

export function replyOf(packet: DecodedPacket): Reply {
  const answers = packet.answers ?? [];
  const keptSeconds = answers.length === 0 ? denialTtl(packet.authorities) : leastTtl(answers);
  return {
    rcode: rcodeOf(packet),
    addresses: addressRecords(answers).map(({ address }) => address),
    pointers: answers.flatMap((answer) => (answer.type === 'PTR' ? [plainName(answer.data)] : [])),
    additional: addressRecords(packet.additionals),
    ...(keptSeconds !== undefined && { keptSeconds }),
  };
}

/** dns-packet's decoder sets `rcode`; its types leave it out. */
const rcodeOf = (packet: DecodedPacket) => (packet as { rcode?: string }).rcode ?? 'NOERROR';

/** A name as names are compared: in lower case (RFC 4343), without the closing dot. */
export const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

function addressRecords(records: readonly Answer[] = []): { name: string; address: string }[] {
  return records.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA'
      ? [{ name: plainName(record.name), address: String(record.data) }]
      : [],
  );
}

const leastTtl = (answers: readonly Answer[]): number =>
  Math.min(...answers.map((answer) => ('ttl' in answer ? (answer.ttl ?? 0) : 0)));

function denialTtl(authorities: readonly Answer[] = []): number | undefined {
  const soa = authorities.find((record): record is SoaAnswer => record.type === 'SOA');
  return soa && Math.min(soa.ttl ?? 0, soa.data.minimum ?? Number.POSITIVE_INFINITY);
}

/** The name whose PTR records say whose address this is (RFC 1035, section 3.5; RFC 3596, section 2.5). */
export function reverseName(address: string): string {
  if (isIP(address) === 4) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const nibbles = wordsOf(address).flatMap((word) => [...word.toString(16).padStart(4, '0')]);
  return `${nibbles.reverse().join('.')}.ip6.arpa`;
}

/** The eight words of an IPv6 address, whose `::` stands for as many zeros as are missing. */
function wordsOf(address: string): number[] {
  const [left = '', right] = address.split('::');
  const parse = (part: string) =>
    part.split(':').flatMap((word) => (word ? [Number.parseInt(word, 16)] : []));
  const [head, tail] = [parse(left), parse(right ?? '')];
  return [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
}
