/**
 * The parent's end of the parent links: one open response for each child's agent. It breaks when the parent's pod dies, and it carries the
 * announcements of a stop and of the outcome.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Membership } from '../broker/membership.ts';
import type { Extension } from '../health/http-server.ts';
import type { Hold } from '../http/connection-limits.ts';
import { within } from '../timeout.ts';
import type { Signer } from './key.ts';
import {
  type Announcement,
  encodeLine,
  isProof,
  type Line,
  linkHeader,
  linkPath,
  proofLength,
  readRequest,
} from './protocol.ts';

export interface ParentLinks {
  /** Serves the links' path. */
  readonly extension: Extension;
  /** A broker process has started: children may open links to it. `key` is the instance's. */
  readonly begin: (key: Buffer) => void;
  /** The broker process has exited without an outcome: the links break, and the children look for the next broker. */
  readonly interrupt: () => void;
  /** Sends it on all links, and on each that is opened later. */
  readonly announce: (message: Announcement) => void;
  /** Fulfilled when every child has received the outcome and closed its link, or after `ms`. Without an outcome the links break at once. */
  readonly settled: (ms: number) => Promise<void>;
}

/** A broker process of this pod. */
interface Life {
  readonly incarnation: string;
  readonly key: Buffer;
  readonly announced: Announcement[];
}

interface Link {
  readonly send: (message: Line['message']) => void;
  readonly close: () => void;
}

/** How often the kernel probes a silent child's connection. */
const keepAliveMs = 10_000;
/** A child answers the challenge when it has received it. */
const proveWithinMs = 5000;

/**
 * The links of the children that the tree gives this rank, at most one each: a newer one replaces the older. A child has a link once it has
 * answered a challenge of this connection: a replayed request opens none and replaces none, without a list of earlier requests.
 */
export function createParentLinks({ rank, tree }: Pick<Membership, 'rank' | 'tree'>): ParentLinks {
  const links = new Map<number, Link>();
  let life: Life | undefined;
  let onEmpty = () => undefined as unknown;

  const isChild = (other: number) => other > 0 && other < tree.size && tree.parentOf(other) === rank;

  const open = (request: IncomingMessage, response: ServerResponse, hold: Hold) => {
    if (!life) return refuse(response, 503);
    const asked = readRequest(request.headers[linkHeader], life.key);
    if (!asked || asked.parent !== rank || !isChild(asked.child)) return refuse(response, 403);
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.socket?.setKeepAlive(true, keepAliveMs);
    response.socket?.setNoDelay(true);
    const link = createLink(response, asked.signer, life.incarnation);
    const prove = proved(asked.child, link, life);
    challenge(request, response, link, asked.signer, () => {
      // From here on there are at most as many connections as children.
      hold();
      prove();
    });
    response.once('close', () => {
      if (links.get(asked.child) !== link) return;
      links.delete(asked.child);
      if (links.size === 0) onEmpty();
    });
  };

  const proved = (child: number, link: Link, under: Life) => () => {
    if (life !== under) return link.close();
    links.get(child)?.close();
    links.set(child, link);
    for (const message of under.announced) link.send(message);
  };

  const interrupt = () => {
    life = undefined;
    for (const link of links.values()) link.close();
  };

  return {
    extension: (request, response, hold) => {
      if (request.url !== linkPath) return false;
      open(request, response, hold);
      return true;
    },
    begin: (key) => {
      interrupt();
      life = { incarnation: randomUUID(), key, announced: [] };
    },
    interrupt,
    announce: (message) => {
      life?.announced.push(message);
      if (life) for (const link of links.values()) link.send(message);
    },
    settled: async (ms) => {
      if (!life?.announced.some(({ kind }) => kind === 'outcome')) return interrupt();
      if (links.size === 0) return;
      const empty = new Promise<void>((resolve) => {
        onEmpty = () => resolve();
      });
      await within(ms, empty);
    },
  };
}

function createLink(response: ServerResponse, signer: Signer, incarnation: string): Link {
  let position = 0;
  return {
    send: (message) => void response.write(encodeLine({ incarnation, message }, position++, signer)),
    close: () => void response.destroy(),
  };
}

/** Sends the hello, and calls `onProof` when the request's body answers its challenge; else the connection is closed. */
function challenge(
  request: IncomingMessage,
  response: ServerResponse,
  link: Link,
  signer: Signer,
  onProof: () => void,
): void {
  const challenge = randomBytes(16).toString('hex');
  const deadline = setTimeout(link.close, proveWithinMs);
  response.once('close', () => clearTimeout(deadline));
  let body = '';
  request.setEncoding('latin1');
  request.on('error', () => undefined);
  request.on('data', (text: string) => {
    body += text;
    if (body.length > proofLength) link.close();
  });
  request.once('end', () => {
    clearTimeout(deadline);
    if (!response.destroyed && isProof(body, challenge, signer)) onProof();
    else link.close();
  });
  link.send({ kind: 'hello', challenge });
}

function refuse(response: ServerResponse, status: number): void {
  // What is left of the request is not read.
  response.writeHead(status, { 'content-length': 0, connection: 'close' });
  response.end();
}
