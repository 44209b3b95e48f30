/** The principal of a request: which role, by which token. Data in, data out. */
import type { IncomingHttpHeaders } from 'node:http';
import { HttpProblem } from '../problem.ts';
import { sessionCookie } from './cookies.ts';
import type { Credentials, Role, Token } from './credentials.ts';
import { isSession, type Sessions } from './sessions.ts';

export interface Principal {
  readonly role: Role;
  /** The token's id, the beginning of its hash; `loopback` where none is needed. */
  readonly token: string;
  /** The client's own name for itself, which nothing verifies. */
  readonly user?: string;
  /** What authenticated the request. */
  readonly by: 'header' | 'cookie' | 'loopback';
}

/**
 * The principal; undefined where the request has no credentials. Throws an HttpProblem (401) where they are wrong. `findToken` compares a
 * token.
 */
export function authenticate(
  { headers, secure }: { readonly headers: IncomingHttpHeaders; readonly secure: boolean },
  credentials: Credentials,
  sessions: Sessions,
  findToken: (secret: string) => Token | undefined,
): Principal | undefined {
  const { tokens } = credentials;
  if (tokens === undefined) return { role: 'write', token: 'loopback', by: 'loopback' };
  refuseWithoutTokens(credentials);
  const { authorization } = headers;
  if (authorization !== undefined) {
    const given = readAuthorization(authorization);
    // A session that has ended, as all do when the leader restarts, is no guess at a token.
    const session =
      given && isSession(given.secret) ? endedOr(sessions.find(given.secret, tokens)) : undefined;
    const token = session?.token ?? (given && findToken(given.secret));
    if (!token) throw unauthorized('The Authorization header names no token of this API.');
    const user = session?.user ?? given?.user;
    return { role: token.role, token: token.id, by: 'header', ...(user !== undefined && { user }) };
  }
  const cookie = sessionCookie(headers, secure);
  if (cookie === undefined) return undefined;
  const { token } = endedOr(sessions.find(cookie, tokens));
  return { role: token.role, token: token.id, by: 'cookie' };
}

/** 503 and not 401: the client's token may be right. */
export function refuseWithoutTokens({ tokenFault }: Credentials): void {
  if (tokenFault === undefined) return;
  throw new HttpProblem(
    'no-tokens',
    'The Secret with the tokens cannot be used, so every client is refused: /readyz on port 8051 and the leader’s log have the reason.',
    { headers: { 'retry-after': '5' } },
  );
}

function endedOr<Session>(session: Session | undefined): Session {
  if (!session) throw unauthorized('The session has ended: sign in again.');
  return session;
}

/**
 * RFC 9110, 11.6.1. No Basic challenge, though Basic is understood: browsers would ask for a password, store it, and send it with
 * every request that another site makes them send.
 */
export const unauthorized = (detail: string): HttpProblem =>
  new HttpProblem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="flux-pod"' } });

/** `Bearer TOKEN`, or `Basic BASE64(user:TOKEN)`. */
export function readAuthorization(header: string): { secret: string; user?: string } | undefined {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { secret: value };
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const [, user = '', secret = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? [];
  return { secret, ...nameOf(user, secret) };
}

/** A name that is fit for a log: not the secret, which some clients send in both places. */
export const nameOf = (user: unknown, secret: string): { user?: string } =>
  typeof user === 'string' && user !== secret && /^[\w.@+-]{1,64}$/.test(user) ? { user } : {};
