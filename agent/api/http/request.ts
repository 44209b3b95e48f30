/** What a request brings, read within limits and checked by the schemas of its route. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import * as z from 'zod/mini';
import { messageOf } from '../../errors.ts';
import { faultsOf } from '../../jobs/faults.ts';
import { Problem } from '../problem.ts';
import { jsonFaultAt, lineAndColumn } from './json-fault.ts';
import type { Route } from './route.ts';

/** The head of a request. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  /** What comes after the first `?`. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  /** From where. */
  readonly address: string;
  /** Whether the connection is TLS. */
  readonly secure: boolean;
}

const mostUrl = 8 * 1024;

export function readHead({ method = 'GET', url = '/', headers, socket }: IncomingMessage): Asked {
  if (url.length > mostUrl) throw new Problem('bad-request', 'The path is too long.');
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
/** A token, a signal, a note: what most bodies hold has room here. */
const usualBody = 8 * 1024;

/** Bytes that a body of this route may have: none where the route takes none. */
export const mostBodyOf = ({ body, mostBody }: Pick<Route, 'body' | 'mostBody'>): number =>
  body ? (mostBody ?? usualBody) : 0;

const tooLarge = (most: number) =>
  new Problem('too-large', most === 0 ? 'There is no body here.' : `A body here has at most ${most} bytes.`, {
    headers: { connection: 'close' },
  });

/** The body as text. What is too long is not waited for. */
export async function readBody(route: Route, request: IncomingMessage): Promise<string> {
  const most = mostBodyOf(route);
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge(most);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Checks a body by the route's schema. Throws a Problem that lists every fault. */
export function parseBody(route: Route, text: string, type: string | undefined): unknown {
  if (!route.body) return undefined;
  if (text === '') {
    if (route.bodyOptional) return undefined;
    throw new Problem('bad-request', 'The body is missing: JSON is expected.');
  }
  if (type !== undefined && !/^application\/([\w.+-]+\+)?json\b/i.test(type))
    throw new Problem('unsupported-media-type', 'Content-Type: application/json is expected.');
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
    throw new Problem('bad-request', `The body is not JSON, at line ${line}, column ${column}: ${what}.`);
  }
}

/** Checks the query by the route's schema; where a name comes twice the last one counts. */
export function parseQuery(route: Route, search: string): unknown {
  if (!route.query) return undefined;
  const given = Object.fromEntries(new URLSearchParams(search));
  return check(route.query, given, 'bad-request', 'The query is not what was expected.');
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
  throw new Problem(kind, sentence, { errors });
}
