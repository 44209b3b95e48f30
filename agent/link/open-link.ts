/** The peer's end of a link: a request to an agent whose response stays open as long as both ends run. */
import { randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import * as z from 'zod/mini';
import type { HostPort } from '../address.ts';
import { errnoOf } from '../errors.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { type LinkName, linkSigner } from './key.ts';
import {
  decodeLine,
  hello,
  type Line,
  linkHeader,
  longestLine,
  type Message,
  signProof,
  signRequest,
} from './protocol.ts';
import { type Answer, createSender } from './send-message.ts';

export interface OpenLink {
  /** The broker process of the agent that the link belongs to. */
  readonly incarnation: string;
  /** Fulfilled by every end of the connection. */
  readonly broken: Promise<void>;
  /** Sends a message of this role to the agent. The promise is always fulfilled. */
  readonly request: (message: Message) => Promise<Answer>;
  readonly release: () => void;
}

export interface OpenLinkOptions {
  readonly path: string;
  /** Of this role. */
  readonly key: Buffer;
  readonly name: Pick<LinkName, 'rank' | 'peer'>;
  readonly signal: AbortSignal;
  /** False for a message that this role does not have: the link breaks. */
  readonly onMessage: (message: Message) => boolean;
  readonly deadlines?: typeof usualDeadlines | undefined;
}

/**
 * Why there is no link. `unreachable`: the address takes no TCP connection. `foreign`: the server there is no agent of this instance with that
 * rank. `unavailable`: it may be that agent, which accepts no links at this moment, or never does. `late`: it may be that agent, which is too busy
 * to answer in time.
 */
export type NoLink = 'unreachable' | 'foreign' | 'unavailable' | 'late';

/** An agent sends a few lines in all, or one a second: more of them would only take this end's time. */
const linesPerSecond = 10;
const mostLinesAtOnce = 100;

const usualDeadlines = {
  /** A running pod accepts within milliseconds, however busy its agent is; after a lost SYN the next attempt follows. */
  connectMs: 500,
  /** From the connection to the end of the hello, however slowly it arrives. */
  helloMs: 1000,
};

/** Opens a link to the agent at `address`. Every ending of connection, request and response settles the promise. */
export function openLink(address: HostPort, options: OpenLinkOptions): Promise<OpenLink | NoLink> {
  const { path, key, signal, onMessage, deadlines = usualDeadlines } = options;
  const name = { ...options.name, nonce: randomBytes(16).toString('hex') };
  const signer = linkSigner(key, name);
  return new Promise((resolve) => {
    const ask = request({
      ...address,
      method: 'POST',
      path,
      agent: false,
      maxHeaderSize: longestLine,
      headers: { [linkHeader]: signRequest(name, signer) },
      signal,
    });
    const broken = new Promise<void>((resolve) => ask.once('close', resolve));
    const ended = new AbortController();
    void broken.then(() => ended.abort());
    const sender = () =>
      createSender({ address, path, name, signer, signal: ended.signal, answerMs: deadlines.helloMs });
    const giveUp = (why: NoLink) => {
      resolve(why);
      ask.destroy();
    };
    let deadline = setTimeout(giveUp, deadlines.connectMs, 'unreachable');
    ask.once('socket', (socket) =>
      socket.once('connect', () => {
        clearTimeout(deadline);
        deadline = setTimeout(giveUp, deadlines.helloMs, 'late');
      }),
    );
    ask.on('error', (error) => giveUp(meaningOf(error)));
    // Emitted last, and always.
    ask.once('close', () => {
      clearTimeout(deadline);
      resolve('unavailable');
    });
    ask.once('upgrade', () => giveUp('foreign'));
    ask.once('response', (response) => {
      if (response.statusCode !== 200) return giveUp(response.statusCode === 503 ? 'unavailable' : 'foreign');
      response.socket.setKeepAlive(true, 10_000);
      // An agent's response has no end: the connection breaks.
      response.once('end', () => giveUp('foreign'));
      let position = 0;
      let incarnation: string | undefined;
      const rate = createRateLimit(linesPerSecond, mostLinesAtOnce);
      const take = (line: Line | undefined): boolean => {
        if (!line || rate.take('lines') > 0 || line.incarnation !== (incarnation ?? line.incarnation))
          return false;
        const first = z.safeParse(hello, line.message);
        if (first.success !== (incarnation === undefined)) return false;
        if (!first.success) return onMessage(line.message);
        clearTimeout(deadline);
        incarnation = line.incarnation;
        ask.end(signProof(first.data.challenge, signer));
        resolve({ incarnation, broken, request: sender(), release: () => void ask.destroy() });
        return true;
      };
      eachLine(ask, response, (text) => take(decodeLine(text, position++, signer)) || giveUp('foreign'));
    });
    ask.flushHeaders();
  });
}

function meaningOf(error: Error): NoLink {
  const code = errnoOf(error) ?? '';
  if (['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(code)) return 'unreachable';
  // llhttp: the response is no HTTP.
  return code.startsWith('HPE_') ? 'foreign' : 'unavailable';
}

/** Gives whole lines, none after the request has been destroyed. */
function eachLine(ask: ClientRequest, response: IncomingMessage, onLine: (text: string) => void): void {
  let rest = '';
  response.setEncoding('utf8');
  response.on('error', () => undefined);
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) lines.push(rest);
    for (const line of lines) if (!ask.destroyed) onLine(line);
  });
}
