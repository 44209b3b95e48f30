/** A man in the middle of a link. */
import { connect, type Socket } from 'node:net';
import { listen } from './parent-links.ts';

export interface Recording {
  /** All that the peer has sent. */
  request: string;
  /** The head of the answer, and the chunks of its body, one line each. */
  answer: string[];
}

/**
 * Passes on what a peer and an agent say to each other. `change` gets the pieces of the agent's answer (its head, then each line) and
 * returns what the peer is to get in their place.
 */
export async function middleman(
  agent: { readonly host: string; readonly port: number },
  change: (piece: string, index: number) => string[] = (piece) => [piece],
) {
  const recording: Recording = { request: '', answer: [] };
  const server = await listen((socket) => {
    const upstream = connect(agent.port, agent.host).setEncoding('latin1');
    socket.setEncoding('latin1').on('data', (text: string) => {
      recording.request += text;
      upstream.write(text, 'latin1');
    });
    let rest = '';
    upstream.on('data', (text: string) => {
      rest += text;
      for (let end = pieceEnd(rest); end > 0; end = pieceEnd(rest)) {
        const piece = rest.slice(0, end);
        rest = rest.slice(end);
        for (const each of change(piece, recording.answer.length)) socket.write(each, 'latin1');
        recording.answer.push(piece);
      }
    });
    couple(socket, upstream);
  });
  return Object.assign(server, { recording });
}

/** Where a head, or a chunk of one line, ends. */
const pieceEnd = (text: string): number => {
  const mark = text.startsWith('HTTP/') ? '\r\n\r\n' : '\n\r\n';
  return text.indexOf(mark) + (text.includes(mark) ? mark.length : 0);
};

/** Each socket closes with the other. */
export function couple(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const)
    from.on('error', () => undefined).once('close', () => to.destroy());
}
