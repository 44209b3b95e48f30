/** The child's end of a lifeline: a request to the parent's agent whose response stays open as long as both live. */
import { randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { HostPort } from '../config/kinds.ts';
import { decodeLine, type LifelineMessage, lifelineHeader, lifelinePath, type Seal } from './message.ts';

export interface Lifeline {
  /** Which broker process of the parent it holds on to. */
  readonly incarnation: string;
  /** Fulfilled when the line has broken, or was let go. */
  readonly broken: Promise<void>;
  readonly release: () => void;
}

export interface LifelineOptions {
  readonly seal: Seal;
  readonly signal: AbortSignal;
  /** Called for what the parent announces. */
  readonly onMessage: (message: LifelineMessage) => void;
}

/** A parent in the cluster accepts within milliseconds; one that takes longer is not there. */
const openWithinMs = 1000;
const longestLine = 4096;

/** Opens a lifeline to the agent at `parent`; resolves when it has said which broker it is. Rejects where there is none. */
export function openLifeline(
  parent: HostPort,
  { seal, signal, onMessage }: LifelineOptions,
): Promise<Lifeline> {
  const nonce = randomBytes(16).toString('hex');
  return new Promise((resolve, reject) => {
    const ask = request({
      host: parent.host,
      port: parent.port,
      path: lifelinePath,
      agent: false,
      headers: { [lifelineHeader]: `${nonce} ${seal.sign(nonce)}` },
      signal,
    });
    const late = setTimeout(() => ask.destroy(new Error('no answer')), openWithinMs);
    ask.once('error', reject).once('close', () => clearTimeout(late));
    ask.once('response', (response) => {
      if (response.statusCode !== 200) return void ask.destroy(new Error(`status ${response.statusCode}`));
      response.socket.setKeepAlive(true, 10_000);
      hold(ask, response, (line) => {
        const message = decodeLine(line, nonce, seal);
        if (!message) return void ask.destroy(new Error('a line that is not signed'));
        clearTimeout(late);
        if (message.kind === 'hello') resolve(lifeline(message.incarnation, ask, response));
        else onMessage(message);
      });
    });
    ask.end();
  });
}

function lifeline(incarnation: string, ask: ClientRequest, response: IncomingMessage): Lifeline {
  const broken = new Promise<void>((resolve) => response.once('close', () => resolve()));
  return { incarnation, broken, release: () => void ask.destroy() };
}

/** Gives whole lines. */
function hold(ask: ClientRequest, response: IncomingMessage, onLine: (line: string) => void): void {
  let rest = '';
  response.setEncoding('utf8');
  response.on('error', () => undefined);
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) return void ask.destroy();
    for (const line of lines) onLine(line);
  });
}
