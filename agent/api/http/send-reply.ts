/** Writes answers and problems, with the headers that each has. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endWith } from '../../http/end-with.ts';
import { type HttpProblem, problemBody, problemKinds } from '../problem.ts';
import type { Reply } from './route.ts';
import type { Source } from './streams.ts';

/** No answer may be framed, sniffed for another type, or cached. */
const commonHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

export async function sendReply(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  reply: Reply,
  writeStream: (source: Source) => Promise<void>,
): Promise<void> {
  if ('chunks' in reply) {
    for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
    response.setHeader('content-type', reply.type);
    // A source opens what it needs when it is read: after a HEAD there is nothing to close.
    return request.method === 'HEAD' ? void response.end() : writeStream(reply);
  }
  const body = 'json' in reply ? `${JSON.stringify(reply.json)}\n` : reply.body;
  const type = 'json' in reply ? 'application/json' : reply.type;
  response.writeHead(reply.status ?? 200, {
    ...commonHeaders,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...reply.headers,
  });
  if (request.method === 'HEAD' || reply.status === 304) response.end();
  else endWith(response, body);
}

/** RFC 9457. `reference` is the id that the log has of an internal error. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problem: HttpProblem,
  reference: string,
): void {
  if (response.headersSent) return void response.destroy();
  const { status } = problemKinds[problem.kind];
  const members = problem.kind === 'internal' ? { instance: `urn:uuid:${reference}` } : {};
  const body = `${JSON.stringify({ ...problemBody(problem), ...members })}\n`;
  // The connection takes no further request while this one's body is still on its way.
  const closing = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, {
    ...commonHeaders,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...closing,
    ...problem.extras.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
