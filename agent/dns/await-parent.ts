/**
 * Awaits the parent: first its name, then its address, then that the address takes connections. The order matters:
 * asking for the address of a name that does not exist yet makes CoreDNS deny it to every pod for 30 s, so existence is
 * asked with throw-away query types, which are denied one by one (CoreDNS plugin/cache: the key holds the type).
 */
import { randomInt } from 'node:crypto';
import { createConnection, isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../config/kinds.ts';
import { ask } from './query.ts';

/** What stands between this pod and its parent just now. */
export type Obstacle =
  | { readonly waitingFor: 'name server'; readonly seen: 'no answer' }
  | { readonly waitingFor: 'name'; readonly seen: string }
  | { readonly waitingFor: 'address'; readonly seen: string }
  | { readonly waitingFor: 'connection'; readonly seen: string; readonly addresses: readonly string[] };

export interface AwaitOptions {
  readonly nameservers: readonly HostPort[];
  /** The family of this pod's own address: its peers have it too. */
  readonly family: 4 | 6;
  /** Ends the wait; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Told of an obstacle when it is met first, and again only after another one. */
  readonly onObstacle?: (obstacle: Obstacle) => void;
}

/** Waits until `parent` accepts a TCP connection. Returns the address (never a name) and port that did. */
export async function awaitParent(parent: HostPort, options: AwaitOptions): Promise<HostPort> {
  const literal = isIP(parent.host) !== 0;
  let known = literal;
  let stale = 0;
  let last = '';
  for (let attempt = 0; ; attempt++) {
    const found = literal ? [parent.host] : await resolve(parent.host, known, stale, options);
    const addresses = Array.isArray(found) ? found : [];
    known ||= addresses.length > 0;
    const met = Array.isArray(found) ? await connectToOne(addresses, parent.port, options.signal) : found;
    if (typeof met === 'string') return { host: met, port: parent.port };
    if (met.waitingFor === 'connection' && met.seen !== refused) stale++;
    const kind = `${met.waitingFor} ${met.seen}`;
    if (kind !== last) options.onObstacle?.(met);
    last = kind;
    await delay(pauseMs(attempt), undefined, { signal: options.signal }).catch(() =>
      options.signal.throwIfAborted(),
    );
  }
}

/** Milliseconds before the next try: 50, growing by half to 1 s, each within a quarter more or less. */
export function pauseMs(attempt: number, random: number = Math.random()): number {
  return Math.min(1000, 50 * 1.5 ** attempt) * (0.75 + random / 2);
}

/**
 * `stale` counts the answers that led nowhere. An address that swallows SYNs is a dead pod's, out of a cache; the bits DO and CD make
 * CoreDNS look it up anew, once each way.
 */
async function resolve(
  name: string,
  known: boolean,
  stale: number,
  options: AwaitOptions,
): Promise<string[] | Obstacle> {
  if (!known) {
    const existence = await ask({ name, type: throwAwayType() }, options.nameservers, options.signal);
    if (!existence) return { waitingFor: 'name server', seen: 'no answer' };
    if (existence.rcode !== 'NOERROR') return { waitingFor: 'name', seen: existence.rcode };
  }
  const type = options.family === 6 ? 'AAAA' : 'A';
  const question = { name, type, dnssecOk: (stale & 1) !== 0, checkingDisabled: (stale & 2) !== 0 };
  const reply = await ask(question, options.nameservers, options.signal);
  if (!reply) return { waitingFor: 'name server', seen: 'no answer' };
  if (reply.addresses.length > 0) return [...reply.addresses];
  return { waitingFor: 'address', seen: reply.rcode === 'NOERROR' ? `no ${type} record` : reply.rcode };
}

/**
 * A type that nobody has assigned or that is for private use (RFC 6895 section 3.1), so that each denial is cached under a
 * key of its own. The 255 private ones are too few: 63 pods that wait together have most of them denied within a second.
 */
const throwAwayType = (): string => `UNKNOWN_${randomInt(32_770, 65_535)}`;

/** A pod that is there, whose broker is not yet. */
const refused = 'refused';

/** A SYN to a dead pod's address is dropped, not refused: a live one answers well within this. */
const connectMs = 500;

async function connectToOne(
  addresses: string[],
  port: number,
  signal: AbortSignal,
): Promise<string | Obstacle> {
  const tries = addresses.map((address) => connect(address, port, signal));
  try {
    return await Promise.any(tries);
  } catch (error) {
    signal.throwIfAborted();
    const reasons = error instanceof AggregateError ? error.errors.map((each: Error) => each.message) : [];
    return { waitingFor: 'connection', seen: [...new Set(reasons)].join(', '), addresses };
  }
}

function connect(address: string, port: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectMs)]);
    const socket = createConnection({ host: address, port, signal: limit });
    socket.once('connect', () => {
      socket.destroy();
      resolve(address);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new Error(
          error.code === 'ECONNREFUSED'
            ? 'refused'
            : limit.aborted
              ? 'no reply'
              : (error.code ?? error.message),
        ),
      );
    });
  });
}
