import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  CHECKING_DISABLED,
  DNSSEC_OK,
  decode,
  encode,
  type Packet,
  type Question,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { isIPv6 } from '../../agent/address.ts';
import { canonicalName, type Finding, type Zone } from './zone.ts';

/** What a UDP answer may measure: without EDNS (RFC 1035, section 4.2.1), and at most. */
const UDP_SIZE = { plain: 512, most: 4096 };
/** The header's part of the code; BADVERS is 16, whose upper bits travel in the OPT record (RFC 6891, section 6.1.3). */
const RCODE = { NOERROR: 0, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 0 } as const;

/** A query that can be answered. */
export interface Request {
  id: number;
  /** Bits 0-14 of the header's second word. */
  flags: number;
  question: Question;
  edns: Extract<Answer, { type: 'OPT' }> | undefined;
}

/** What is answered. */
export interface Answered extends Omit<Finding, 'rcode'> {
  rcode: keyof typeof RCODE;
  /** Seconds for which it may be kept from now on. */
  ttl: number;
  /** Seconds for which a negative answer may be cached, from the first answer: the SOA's minimum. */
  minimum: number;
}

/** A query with one question, or undefined for anything else, which is dropped. */
export function parseRequest(bytes: Buffer): Request | undefined {
  try {
    const [questions, answers, authorities, additionals = 0] = [4, 6, 8, 10].map((at) =>
      bytes.readUInt16BE(at),
    );
    if (questions !== 1 || answers !== 0 || authorities !== 0 || additionals > 2) return undefined;
    const packet = decode(bytes);
    const question = packet.questions?.[0];
    const options = (packet.additionals ?? []).filter((record) => record.type === 'OPT');
    if (packet.type !== 'query' || question === undefined || options.length > 1) return undefined;
    // Labels with a dot or with bytes that are no UTF-8 do not survive the codec; neither would their echo.
    const echo = encode({ questions: [question] }).subarray(12);
    if (!echo.equals(bytes.subarray(12, 12 + echo.length))) return undefined;
    return { id: packet.id ?? 0, flags: packet.flags ?? 0, question, edns: options[0] };
  } catch {
    return undefined;
  }
}

const opcodeOf = (flags: number) => flags & 0x7800;

/** Why a request is not looked up: not a standard query, an EDNS version of the future, not the Internet class. */
export function refusal({ flags, question, edns }: Request): Answered | undefined {
  const nothing = { addresses: [], ttl: 0, minimum: 0 };
  if (opcodeOf(flags) !== 0) return { rcode: 'NOTIMP', ...nothing };
  if ((edns?.ednsVersion ?? 0) !== 0) return { rcode: 'BADVERS', ...nothing };
  if (question.class !== 'IN') return { rcode: 'REFUSED', ...nothing };
  return undefined;
}

/** The answer's packet; a negative answer carries the SOA, whose TTL is how long it may be cached (RFC 2308, section 5). */
export function answerTo(request: Request, answered: Answered, zone: Zone): Packet {
  const { id, flags, question, edns } = request;
  const { rcode, ttl, minimum } = answered;
  const inZone = rcode === 'NOERROR' || rcode === 'NXDOMAIN';
  const soa = soaOf(zone, ttl, minimum);
  const asksSoa = inZone && question.type === 'SOA' && canonicalName(question.name) === zone.domain;
  const answers = answersTo(question, answered);
  const echoed = flags & (RECURSION_DESIRED | CHECKING_DISABLED);
  const packet: Packet = {
    type: 'response',
    id,
    flags: opcodeOf(flags) | (inZone ? AUTHORITATIVE_ANSWER : 0) | echoed | RCODE[rcode],
    questions: [question],
    answers: asksSoa ? [soa] : answers,
    authorities: inZone && answers.length === 0 && !asksSoa ? [soa] : [],
    additionals: (answered.target?.addresses ?? []).map((data) => addressRecord(question.name, ttl, data)),
  };
  if (edns === undefined) return packet;
  const opt: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_SIZE.most,
    extendedRcode: rcode === 'BADVERS' ? 1 : 0,
    ednsVersion: 0,
    flags: edns.flag_do ? DNSSEC_OK : 0,
    flag_do: edns.flag_do,
    options: [],
  };
  return { ...packet, additionals: [...(packet.additionals ?? []), opt] };
}

function answersTo({ name, type }: Question, { addresses, pointers = [], target, ttl }: Answered): Answer[] {
  const record = { name, class: 'IN', ttl } as const;
  if (type === 'PTR') return pointers.map((data) => ({ ...record, type, data }));
  if (type === 'SRV' && target)
    return [{ ...record, type, data: { priority: 0, weight: 100, port: target.port, target: name } }];
  return addresses.map((data) => addressRecord(name, ttl, data));
}

const addressRecord = (name: string, ttl: number, data: string): Answer => ({
  type: isIPv6(data) ? 'AAAA' : 'A',
  name,
  class: 'IN',
  ttl,
  data,
});

function soaOf(zone: Zone, ttl: number, minimum: number): Answer {
  const data = {
    mname: `ns.dns.${zone.domain}`,
    rname: `hostmaster.${zone.domain}`,
    serial: zone.serial,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum,
  };
  return { type: 'SOA', name: zone.domain, class: 'IN', ttl, data };
}

/** How many bytes a UDP answer to this request may have. */
export function udpSizeOf({ edns }: Request): number {
  return Math.min(Math.max(edns?.udpPayloadSize ?? 0, UDP_SIZE.plain), UDP_SIZE.most);
}

/** The packet's bytes, with as many of its (equally long) answers as fit, and TC set if some did not. */
export function encodeWithin(size: number, packet: Packet): Buffer {
  const whole = encode(packet);
  if (whole.length <= size) return whole;
  const answers = packet.answers ?? [];
  const flags = (packet.flags ?? 0) | TRUNCATED_RESPONSE;
  const bare = encode({ ...packet, flags, answers: [] });
  const room = Math.floor(((size - bare.length) * answers.length) / (whole.length - bare.length));
  return encode({ ...packet, flags, answers: answers.slice(0, Math.max(room, 0)) });
}
