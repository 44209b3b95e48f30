import type { Network } from '../../../agent/dns/await-parent.ts';
import { type Question, type Reply, reverseName } from '../../../agent/dns/query/dns-message.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface VirtualDns {
  /** Seconds for which answers and denials are kept, default 30. */
  readonly positiveTtl?: number;
  readonly negativeTtl?: number;
  /** A denial is one of the name, whatever the type (RFC 8020), not of a type. */
  readonly deniesNames?: boolean;
  /** The Service has a port: its pods have SRV records. */
  readonly srv?: boolean;
  /** There is a reverse zone. */
  readonly reverse?: boolean;
  /** What a server says to a question in place of an answer; undefined: it is silent; null: it answers as it should. */
  readonly fault?: (question: Question, before: number) => string | undefined | null;
  readonly random?: () => number;
}

export interface VirtualQuery {
  readonly at: number;
  readonly name: string;
  readonly type: string;
  readonly key: string;
  readonly rcode: string;
}

/** Pods' names and addresses as CoreDNS caches them, and what connecting to an address does. */
export interface VirtualCluster extends Network {
  readonly queries: readonly VirtualQuery[];
  readonly publish: (name: string, address: string) => void;
  readonly withdraw: (name: string) => void;
  /** Addresses swallow SYNs unless told otherwise. */
  readonly set: (address: string, state: 'listens' | 'refuses' | 'swallows') => void;
}

const answerMs = 2;
const silenceMs = 1000;
const synMs = 1;
const swallowedMs = 500;

export function virtualCluster(time: VirtualTime, dns: VirtualDns = {}): VirtualCluster {
  const records = new Map<string, string>();
  const hosts = new Map<string, 'listens' | 'refuses' | 'swallows'>();
  const cache = new Map<string, { reply: Reply; until: number }>();
  const queries: VirtualQuery[] = [];
  const { random = Math.random } = dns;
  const never = new AbortController().signal;

  const answer = (question: Question): Reply => {
    const bits = `${question.dnssecOk ? ' DO' : ''}${question.checkingDisabled ? ' CD' : ''}`;
    const keys = [`${question.name} ${question.type}${bits}`, ...(dns.deniesNames ? [question.name] : [])];
    for (const key of keys) {
      const kept = cache.get(key);
      const left = Math.ceil(((kept?.until ?? 0) - time.now()) / 1000);
      // As CoreDNS counts (plugin/cache/item.go, ttl): an answer has its whole TTL for its first second.
      if (kept && kept.until > time.now()) return { ...kept.reply, ttl: left };
    }
    const found = lookUp(records, question, dns);
    const positive = found.ttl === undefined;
    const seconds = positive ? (dns.positiveTtl ?? 30) : (dns.negativeTtl ?? 30);
    const reply = { ...found, ttl: seconds };
    const key = found.rcode === 'NXDOMAIN' ? (keys.at(-1) as string) : (keys[0] as string);
    if (seconds > 0) cache.set(key, { reply, until: time.now() + seconds * 1000 });
    return reply;
  };

  return {
    queries,
    publish: (name, address) => void records.set(name, address),
    withdraw: (name) => void records.delete(name),
    set: (address, state) => void hosts.set(address, state),
    ask: async (question) => {
      const { name, type } = question;
      const key = `${/^UNKNOWN/.test(type) ? 'any' : type}${question.dnssecOk ? '+DO' : ''}${question.checkingDisabled ? '+CD' : ''}`;
      const fault = dns.fault ? dns.fault(question, queries.length) : null;
      const reply = fault === null ? answer(question) : undefined;
      queries.push({ at: time.now(), name, type, key, rcode: reply?.rcode ?? fault ?? 'silence' });
      await time.sleep(fault === undefined ? silenceMs : answerMs * (0.5 + random()), never);
      if (typeof fault === 'string') return { rcode: fault, addresses: [], pointers: [], additional: [] };
      return reply;
    },
    connect: async (address) => {
      const state = hosts.get(address) ?? 'swallows';
      await time.sleep(state === 'swallows' ? swallowedMs : synMs, never);
      return state === 'listens' ? 'accepted' : state === 'refuses' ? 'refused' : 'no reply';
    },
  };
}

/** What the backend says; `ttl` marks a negative answer. */
function lookUp(records: ReadonlyMap<string, string>, { name, type }: Question, dns: VirtualDns): Reply {
  const nothing = { addresses: [], pointers: [], additional: [] };
  if (type === 'PTR') {
    if (!dns.reverse) return { rcode: 'REFUSED', ...nothing };
    const pointers = [...records].flatMap(([pod, address]) => (reverseName(address) === name ? [pod] : []));
    return pointers.length > 0
      ? { rcode: 'NOERROR', ...nothing, pointers }
      : { rcode: 'NXDOMAIN', ...nothing, ttl: 0 };
  }
  const own = records.get(name);
  const below = own === undefined ? [...records].filter(([pod]) => pod.endsWith(`.${name}`)) : [];
  if (own === undefined && below.length === 0) return { rcode: 'NXDOMAIN', ...nothing, ttl: 0 };
  const all = own === undefined ? below.map(([, address]) => address) : [own];
  if (type === 'A') return { rcode: 'NOERROR', ...nothing, addresses: all };
  if (type === 'SRV' && dns.srv && own !== undefined)
    return { rcode: 'NOERROR', ...nothing, additional: [{ name, address: own }] };
  return { rcode: 'NOERROR', ...nothing, ttl: 0 };
}
