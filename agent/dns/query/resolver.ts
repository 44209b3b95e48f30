/** One query to the name servers of a pod, of which some may be dead, slow, lossy or refuse. */
import type { DecodedPacket } from 'dns-packet';
import type { HostPort } from '../../address.ts';
import { type Question, type Reply, replyOf } from './dns-message.ts';
import { type Exchange, exchange } from './exchange.ts';

export interface Resolver {
  /**
   * Asks one question. Undefined where no server answered in time; a server's error code (SERVFAIL, REFUSED, ...) only where all servers
   * gave one. Throws the signal's reason when that aborts.
   */
  readonly ask: (question: Question, signal: AbortSignal) => Promise<Reply | undefined>;
}

/**
 * An unanswered question is sent again after so long, to the next server where there is one; the earlier servers may still answer. A
 * server in the cluster answers within 2 ms, and a lost datagram must not cost seconds.
 */
const resendMs = 250;
/** Sends to a single server; several servers get at least two each. */
const leastSends = 4;

/** A resolver that remembers which server answered last, so that a dead one costs its timeout once, and which refuse EDNS. */
export function createResolver(servers: readonly HostPort[]): Resolver {
  let preferred = 0;
  const withoutEdns = new Set<HostPort>();

  const askServer = (question: Question, server: HostPort, signal: AbortSignal): Exchange => {
    const plain = { ...question, dnssecOk: false };
    const first = exchange(withoutEdns.has(server) ? plain : question, server, signal);
    const answer = async () => {
      const packet = await first.answer;
      if (!packet || !question.dnssecOk || withoutEdns.has(server) || !refusesEdns(packet)) return packet;
      // RFC 6891, section 7: the answer of a server without EDNS. No further query to it has an OPT record.
      withoutEdns.add(server);
      return exchange(plain, server, signal).answer;
    };
    return { resend: first.resend, answer: answer() };
  };

  const ask = async (question: Question, signal: AbortSignal): Promise<Reply | undefined> => {
    signal.throwIfAborted();
    if (servers.length === 0) return undefined;
    const order = servers.map((_, index) => (preferred + index) % servers.length);
    const answered = await firstGood(order, signal, (index, until) =>
      askServer(question, servers[index] as HostPort, until),
    );
    signal.throwIfAborted();
    if (!answered) return undefined;
    const { index, packet } = answered;
    const reply = replyOf(packet);
    if (isGood(reply.rcode)) preferred = index;
    const refused = question.dnssecOk === true && withoutEdns.has(servers[index] as HostPort);
    return refused ? { ...reply, dnssecOkRefused: true } : reply;
  };
  return { ask };
}

interface Answered {
  readonly index: number;
  readonly packet: DecodedPacket;
}

/**
 * Asks the servers in their order, the next one when the one before has not answered for `resendMs` or has answered with an error, and
 * all again. The first good answer counts, else the last bad one.
 */
function firstGood(
  order: readonly number[],
  signal: AbortSignal,
  askServer: (index: number, until: AbortSignal) => Exchange,
): Promise<Answered | undefined> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const exchanges = new Map<number, Exchange>();
    const open = new Set<number>();
    let sends = 0;
    let bad: Answered | undefined;
    let timer: NodeJS.Timeout | undefined;

    const finish = (answered?: Answered) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      over.abort();
      resolve(answered);
    };
    const giveUp = () => finish(bad);
    const next = () => {
      clearTimeout(timer);
      const fresh = order.find((index) => !exchanges.has(index));
      if (fresh === undefined && open.size === 0) return finish(bad);
      if (sends >= Math.max(leastSends, 2 * order.length)) return finish(bad);
      if (fresh !== undefined) begin(fresh);
      else exchanges.get([...open][sends % open.size] as number)?.resend();
      sends++;
      timer = setTimeout(next, resendMs);
    };
    const begin = (index: number) => {
      const started = askServer(index, over.signal);
      exchanges.set(index, started);
      open.add(index);
      void started.answer.then((packet) => {
        open.delete(index);
        if (over.signal.aborted) return;
        if (packet && isGood(replyOf(packet).rcode)) return finish({ index, packet });
        if (packet) bad = { index, packet };
        next();
      });
    };
    signal.addEventListener('abort', giveUp, { once: true });
    next();
  });
}

/** The two codes about the name; all others are about the server. */
const isGood = (rcode: string) => rcode === 'NOERROR' || rcode === 'NXDOMAIN';

const refusesEdns = (packet: DecodedPacket) => /^(FORMERR|NOTIMP)$/.test(replyOf(packet).rcode);
