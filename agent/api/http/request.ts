/** The parts of a request, read within limits and checked by its route. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import * as z from 'zod/mini';
import { messageOf } from '../../errors.ts';
import { faultsOf } from '../../jobs/faults.ts';
import { HttpProblem } from '../problem.ts';
import { jsonFaultAt, lineAndColumn } from './json-fault.ts';
import type { Route } from './route.ts';

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** The query: the text after the first `?`. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  /** The client's. */
  readonly address: string;
  /** Whether the connection is TLS. */
  readonly secure: boolean;
}

const longestUrl = 8 * 1024;

export function readHead({ method = 'GET', url = '/', headers, socket }: IncomingMessage): RequestHead {
  if (url.length > longestUrl) throw new HttpProblem('bad-request', 'The path is too long.');
  const [path = '/', search = ''] = splitOnce(url, '?');
  return {
    method,
    path,
    search,
    headers,
    address: socket.remoteAddress ?? '',
    secure: 'encrypted' in socket,
  };
}

function splitOnce(text: string, separator: string): [string, string] {
  const place = text.indexOf(separator);
  return place < 0 ? [text, ''] : [text.slice(0, place), text.slice(place + 1)];
}

/** A jobspec with a large environment has room; nothing else needs as much. */
export const largeBody = 1024 * 1024;
/** Room for a token, a signal, a note. */
const usualBody = 8 * 1024;

/** The largest body of a route in bytes: none where the route takes none. */
export const largestBodyOf = ({ body, largestBody }: Pick<Route, 'body' | 'largestBody'>): number =>
  body ? (largestBody ?? usualBody) : 0;

const tooLarge = (most: number) =>
  new HttpProblem(
    'too-large',
    most === 0 ? 'This route takes no body.' : `A body of this route has at most ${most} bytes.`,
    { headers: { connection: 'close' } },
  );

/** The body as text. The rest of a body that is too large is not awaited. By events: an iterator costs more than all else that is done here. */
export function readBody(route: Route, request: IncomingMessage): Promise<string> {
  const most = largestBodyOf(route);
  if (Number(request.headers['content-length'] ?? 0) > most) return Promise.reject(tooLarge(most));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= most) return void chunks.push(chunk);
    request.pause();
    reject(tooLarge(most));
  });
  request.once('end', () => resolve(Buffer.concat(chunks).toString()));
  request.once('error', reject);
  // After `end` this changes nothing; a connection that was destroyed without an error has no `end`.
  request.once('close', () => reject(new Error('the connection was closed before the request was complete')));
  return promise;
}

/** Checks a body by the route's schema. Throws an HttpProblem that lists every fault. */
export function parseBody(route: Route, text: string, type: string | undefined): unknown {
  if (!route.body) return undefined;
  if (text === '') {
    if (route.bodyOptional) return undefined;
    throw new HttpProblem('bad-request', 'The body is missing: JSON is expected.');
  }
  if (type !== undefined && !/^application\/([\w.+-]+\+)?json\b/i.test(type))
    throw new HttpProblem('unsupported-media-type', 'Content-Type: application/json is expected.');
  return check(route.body, parseJson(text), 'invalid', 'The body is not what was expected.');
}

/** JSON, without the keys that would change what objects are. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (key, value) => (key === '__proto__' ? undefined : value));
  } catch (error) {
    const { line, column } = lineAndColumn(text, jsonFaultAt(text));
    // V8 names the place of some faults itself.
    const what = messageOf(error).replace(/ in JSON at position \d+.*$/s, '');
    throw new HttpProblem('bad-request', `The body is not JSON, at line ${line}, column ${column}: ${what}.`);
  }
}

/** Checks the query by the route's schema; of a name that is given twice the last one counts. */
export function parseQuery(route: Route, search: string): unknown {
  if (!route.query) return undefined;
  const given = Object.fromEntries(new URLSearchParams(search));
  return check(route.query, given, 'bad-request', 'The query is not what was expected.');
}

/** The values of the path's parameters, by their names. */
export function parsePath({ params = {} }: Route, texts: Readonly<Record<string, string>>): unknown {
  return Object.fromEntries(
    Object.entries(params).map(([name, { read }]) => [name, read(texts[name] ?? '')]),
  );
}

function check(
  schema: z.ZodMiniType,
  value: unknown,
  kind: 'invalid' | 'bad-request',
  sentence: string,
): unknown {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const errors = faultsOf(result.error).slice(0, 20);
  throw new HttpProblem(kind, sentence, { errors });
}
