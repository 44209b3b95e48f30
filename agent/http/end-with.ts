import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Ends an answer with a body. A large one is written in pieces: that a client takes it, however slowly, shows from piece to piece. With TLS
 * Node.js sees nothing in between, and would take a slow client for one that does not read (net.Socket's timeout compares `writeQueueSize`).
 */
export function endWith(response: ServerResponse, body: string | Buffer): void {
  if (body.length <= pieceBytes) return void response.end(body);
  // The client has gone, or was cut off: the response has been closed with it.
  pipeline(Readable.from(piecesOf(typeof body === 'string' ? Buffer.from(body) : body)), response).catch(
    () => undefined,
  );
}

const pieceBytes = 64 * 1024;

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}
