/** Messages between stand-in brokers, and between a broker and its clients: one JSON object a line. */
import type { Socket } from 'node:net';

/** A task of a job, as it is sent to the broker that runs it. */
export interface Task {
  readonly job: number;
  readonly task: number;
  readonly localTask: number;
  readonly rank: number;
  readonly size: number;
  readonly nodes: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export type Message =
  // a child to its parent
  | { readonly type: 'hello'; readonly rank: number; readonly publicKey: string }
  | { readonly type: 'online' | 'offline'; readonly rank: number }
  | {
      readonly type: 'output';
      readonly job: number;
      readonly task: number;
      readonly stream: 'stdout' | 'stderr';
      readonly data: string;
    }
  | { readonly type: 'exit'; readonly job: number; readonly task: number; readonly code: number }
  // a parent to its children
  | { readonly type: 'run' | 'shutdown' }
  | ({ readonly type: 'task' } & Task)
  // a client to its broker
  | { readonly type: 'getattr'; readonly name: string }
  | { readonly type: 'resources' }
  | {
      readonly type: 'submit';
      readonly nodes: number | undefined;
      readonly tasks: number | undefined;
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly type: 'attach'; readonly job: number }
  // a broker to its client
  | { readonly type: 'value'; readonly value: string }
  | { readonly type: 'error'; readonly error: string }
  | { readonly type: 'done'; readonly code: number };

export interface Link {
  readonly send: (message: Message) => void;
  readonly close: () => void;
}

/** Makes a link of a socket. `onClose` is called once, whichever side closes. */
export function openLink(
  socket: Socket,
  onMessage: (message: Message, link: Link) => void,
  onClose: () => void,
): Link {
  let rest = '';
  const link: Link = {
    send: (message) => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`)),
    close: () => void socket.end(),
  };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = parse(line);
      if (message) onMessage(message, link);
      else socket.destroy();
    }
  });
  socket.on('error', () => undefined);
  socket.once('close', onClose);
  return link;
}

/** What is no message of ours (a prober that connects and says something else) ends the link. */
function parse(line: string): Message | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
