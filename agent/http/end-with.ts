import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Ends an answer with a body. A large one is written in pieces, each of which resets the timeout of a slow client. With TLS Node.js notices
 * no progress within one write, and would cut off a slow client (net.Socket's timeout compares `writeQueueSize`).
 */
export function endWith(response: ServerResponse, body: string | Buffer): void {
  if (body.length <= pieceBytes) return void response.end(body);
  // The connection has closed, and the response with it.
  pipeline(Readable.from(piecesOf(typeof body === 'string' ? Buffer.from(body) : body)), response).catch(
    () => undefined,
  );
}

const pieceBytes = 64 * 1024;

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}
