/** The child's end of a lifeline: a request to the parent's agent whose response stays open as long as both live. */
import { randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { HostPort } from '../config/kinds.ts';
import { errnoOf } from '../errors.ts';
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

/**
 * Why there is no lifeline. `nobody`: the address swallows what is sent to it. `a stranger`: an agent that has another certificate, or
 * something else. `not yet`: a pod that serves no lifelines at this moment, or never does.
 */
export type NoLifeline = 'nobody' | 'a stranger' | 'not yet';

/** A living pod accepts within milliseconds, whatever its agent is doing; a lost SYN is sent again by the next attempt. */
const connectWithinMs = 500;
const answerWithinMs = 1000;
const longestLine = 4096;

/** Opens a lifeline to the agent at `parent`; resolves when it has said which broker it is, or to why there is none. */
export function openLifeline(
  parent: HostPort,
  { seal, signal, onMessage }: LifelineOptions,
): Promise<Lifeline | NoLifeline> {
  const nonce = randomBytes(16).toString('hex');
  return new Promise((resolve) => {
    const giveUp = (why: NoLifeline) => {
      resolve(why);
      ask.destroy();
    };
    const ask = request({
      host: parent.host,
      port: parent.port,
      path: lifelinePath,
      agent: false,
      headers: { [lifelineHeader]: `${nonce} ${seal.sign(nonce)}` },
      signal,
    });
    let late = setTimeout(giveUp, connectWithinMs, 'nobody');
    ask.once('socket', (socket) =>
      socket.once('connect', () => {
        clearTimeout(late);
        late = setTimeout(giveUp, answerWithinMs, 'not yet');
      }),
    );
    ask.on('error', (error) => giveUp(unreachable.includes(errnoOf(error) ?? '') ? 'nobody' : 'not yet'));
    ask.once('close', () => clearTimeout(late));
    ask.once('response', (response) => {
      if (response.statusCode !== 200) return giveUp(response.statusCode === 503 ? 'not yet' : 'a stranger');
      response.socket.setKeepAlive(true, 10_000);
      hold(ask, response, (line) => {
        const message = decodeLine(line, nonce, seal);
        if (!message) return giveUp('a stranger');
        clearTimeout(late);
        if (message.kind === 'hello') resolve(lifeline(message.incarnation, ask, response));
        else onMessage(message);
      });
    });
    ask.end();
  });
}

const unreachable = ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'];

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
