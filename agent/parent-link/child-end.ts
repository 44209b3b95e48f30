/** The child's end of a parent link: a request to the parent's agent whose response stays open as long as both agents run. */
import { randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { HostPort } from '../address.ts';
import { errnoOf } from '../errors.ts';
import { type LinkName, linkSigner } from './key.ts';
import {
  type Announcement,
  decodeLine,
  type Line,
  linkHeader,
  linkPath,
  longestLine,
  signProof,
  signRequest,
} from './protocol.ts';

export interface ParentLink {
  /** The broker process of the parent that the link belongs to. */
  readonly incarnation: string;
  /** Fulfilled by every end of the connection. */
  readonly broken: Promise<void>;
  readonly release: () => void;
}

export interface LinkOptions {
  /** The instance's key. */
  readonly key: Buffer;
  readonly ranks: Pick<LinkName, 'parent' | 'child'>;
  readonly signal: AbortSignal;
  readonly onMessage: (message: Announcement) => void;
  readonly deadlines?: typeof usualDeadlines;
}

/**
 * Why there is no link. `unreachable`: the address takes no TCP connection. `not the parent`: the server there is no agent of this
 * instance with the parent's rank. `unavailable`: it may be the parent, which accepts no links at this moment, or never does.
 */
export type NoLink = 'unreachable' | 'not the parent' | 'unavailable';

const usualDeadlines = {
  /** A running pod accepts within milliseconds, however busy its agent is; after a lost SYN the next attempt follows. */
  connectMs: 500,
  /** From the connection to the end of the hello, however slowly it arrives. */
  helloMs: 1000,
};

/** Opens a link to the agent at `parent`. Every ending of connection, request and response settles the promise. */
export function openParentLink(parent: HostPort, options: LinkOptions): Promise<ParentLink | NoLink> {
  const { key, ranks, signal, onMessage, deadlines = usualDeadlines } = options;
  const name = { ...ranks, nonce: randomBytes(16).toString('hex') };
  const signer = linkSigner(key, name);
  return new Promise((resolve) => {
    const ask = request({
      ...parent,
      method: 'POST',
      path: linkPath,
      agent: false,
      maxHeaderSize: longestLine,
      headers: { [linkHeader]: signRequest(name, signer) },
      signal,
    });
    const broken = new Promise<void>((resolve) => ask.once('close', resolve));
    const giveUp = (why: NoLink) => {
      resolve(why);
      ask.destroy();
    };
    let deadline = setTimeout(giveUp, deadlines.connectMs, 'unreachable');
    ask.once('socket', (socket) =>
      socket.once('connect', () => {
        clearTimeout(deadline);
        deadline = setTimeout(giveUp, deadlines.helloMs, 'unavailable');
      }),
    );
    ask.on('error', (error) => giveUp(meaningOf(error)));
    // Emitted last, and always.
    ask.once('close', () => {
      clearTimeout(deadline);
      resolve('unavailable');
    });
    ask.once('upgrade', () => giveUp('not the parent'));
    ask.once('response', (response) => {
      if (response.statusCode !== 200)
        return giveUp(response.statusCode === 503 ? 'unavailable' : 'not the parent');
      response.socket.setKeepAlive(true, 10_000);
      // A parent's response has no end: the connection breaks.
      response.once('end', () => giveUp('not the parent'));
      let position = 0;
      let incarnation: string | undefined;
      const take = (line: Line | undefined): boolean => {
        if (!line || line.incarnation !== (incarnation ?? line.incarnation)) return false;
        const { message } = line;
        if ((message.kind === 'hello') !== (incarnation === undefined)) return false;
        if (message.kind !== 'hello') {
          onMessage(message);
          return true;
        }
        clearTimeout(deadline);
        incarnation = line.incarnation;
        ask.end(signProof(message.challenge, signer));
        resolve({ incarnation, broken, release: () => void ask.destroy() });
        return true;
      };
      eachLine(
        ask,
        response,
        (text) => take(decodeLine(text, position++, signer)) || giveUp('not the parent'),
      );
    });
    ask.flushHeaders();
  });
}

function meaningOf(error: Error): NoLink {
  const code = errnoOf(error) ?? '';
  if (['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(code)) return 'unreachable';
  // llhttp: the response is no HTTP.
  return code.startsWith('HPE_') ? 'not the parent' : 'unavailable';
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
