/**
 * The parent's end of the lifelines: one open response for each child's agent. That it breaks tells a child at once that its parent
 * has gone; what is announced on it tells how the instance ended.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Extension } from '../health/server.ts';
import type { Hold } from '../http/connection-limits.ts';
import { encodeLine, type LifelineMessage, lifelineHeader, lifelinePath, type Seal } from './message.ts';

export interface Lifelines {
  /** Serves the lifelines' path. */
  readonly extension: Extension;
  /** A broker process has started: children may hold on to it. */
  readonly begin: (incarnation: string) => void;
  /** It has ended without an outcome: the children are let go, to find the next. */
  readonly interrupt: () => void;
  /** Tells all children, and those that come later. */
  readonly announce: (message: LifelineMessage) => void;
  /** Fulfilled when every child has heard the outcome and let go, or after `patienceMs`. Without an outcome they are let go at once. */
  readonly settled: (patienceMs: number) => Promise<void>;
}

/** How often the kernel asks a silent child whether it is there. */
const keepAliveMs = 10_000;

export function createLifelines(seal: Seal): Lifelines {
  const lines = new Map<ServerResponse, string>();
  let told: LifelineMessage[] = [];
  let onEmpty = () => undefined as unknown;

  const open = (request: IncomingMessage, response: ServerResponse, hold: Hold) => {
    const [nonce = '', signature = ''] = String(request.headers[lifelineHeader] ?? '').split(' ');
    if (!seal.isSigned(nonce, signature)) return refuse(response, 403);
    if (told.length === 0) return refuse(response, 503);
    // From here on the connection is one of as many as there are children.
    hold();
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.socket?.setKeepAlive(true, keepAliveMs);
    response.socket?.setNoDelay(true);
    lines.set(response, nonce);
    response.once('close', () => {
      lines.delete(response);
      if (lines.size === 0) onEmpty();
    });
    for (const message of told) response.write(encodeLine(message, nonce, seal));
  };

  const interrupt = () => {
    told = [];
    for (const response of lines.keys()) response.destroy();
  };

  return {
    extension: (request, response, hold) => {
      if (request.url !== lifelinePath) return false;
      request.resume();
      open(request, response, hold);
      return true;
    },
    begin: (incarnation) => {
      told = [{ kind: 'hello', incarnation }];
    },
    interrupt,
    announce: (message) => {
      if (told.length === 0) return;
      told.push(message);
      for (const [response, nonce] of lines) response.write(encodeLine(message, nonce, seal));
    },
    settled: async (patienceMs) => {
      if (!told.some(({ kind }) => kind === 'outcome')) return interrupt();
      if (lines.size === 0) return;
      const empty = new Promise<void>((resolve) => {
        onEmpty = () => resolve();
      });
      const enough = new AbortController();
      await Promise.race([
        empty,
        delay(patienceMs, undefined, { signal: enough.signal }).catch(() => undefined),
      ]);
      enough.abort();
    },
  };
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 });
  response.end();
}
