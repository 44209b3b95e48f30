/** DNS messages (RFC 1035): a question encoded, a reply decoded. Data in, data out. */
import { randomInt } from 'node:crypto';
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
import { addressFamily } from '../../address-family.ts';

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

/** The answer to a question. */
export interface Reply {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, ... (RFC 1035, RFC 6895). */
  readonly rcode: string;
  /** Of the answer's A and AAAA records. */
  readonly addresses: readonly string[];
  /** Names of the answer's PTR records, in lower case, without the closing dot. */
  readonly pointers: readonly string[];
  /** Addresses in the additional section, with their names in lower case: of the target of an SRV record (RFC 2782). */
  readonly additional: readonly { readonly name: string; readonly address: string }[];
  /**
   * The TTL in seconds: the least of the answer's records, or of a negative answer the lesser of the SOA's TTL and its MINIMUM (RFC 2308,
   * section 5).
   */
  readonly ttl?: number;
  /** The query asked for DO, and the server refuses EDNS. */
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

/** The decoded packet where it answers `packet`, else undefined: hostile and foreign bytes are no answer. */
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
    return same && whole.every(({ address }) => addressFamily(address)) ? answer : undefined;
  } catch {
    return undefined;
  }
}

export function replyOf(packet: DecodedPacket): Reply {
  const answers = packet.answers ?? [];
  const ttl = answers.length === 0 ? negativeTtl(packet.authorities) : leastTtl(answers);
  return {
    rcode: rcodeOf(packet),
    addresses: addressRecords(answers).map(({ address }) => address),
    pointers: answers.flatMap((answer) => (answer.type === 'PTR' ? [plainName(answer.data)] : [])),
    additional: addressRecords(packet.additionals),
    ...(ttl !== undefined && { ttl }),
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

function negativeTtl(authorities: readonly Answer[] = []): number | undefined {
  const soa = authorities.find((record): record is SoaAnswer => record.type === 'SOA');
  return soa && Math.min(soa.ttl ?? 0, soa.data.minimum ?? Number.POSITIVE_INFINITY);
}

/** The name whose PTR records have the name of an address (RFC 1035, section 3.5; RFC 3596, section 2.5). */
export function reverseName(address: string): string {
  if (addressFamily(address) === 4) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
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
