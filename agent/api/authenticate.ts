/** Who asks, and whether a browser was tricked into asking. Data in, data out. */
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../config/api-token-required.ts';
import { sessionCookie } from './cookies.ts';
import type { Credentials, Role, Token } from './credentials.ts';
import { Problem } from './problem.ts';
import type { Asked } from './request.ts';
import { isSession, type Sessions } from './sessions.ts';

export interface Principal {
  readonly role: Role;
  /** Which token, by the beginning of its hash; `loopback` where none is needed. */
  readonly token: string;
  /** As what the client calls itself: nobody has checked it. */
  readonly user?: string;
  /** How it was said. */
  readonly by: 'header' | 'cookie' | 'loopback';
}

/** What a page of ours sends with its cookie, and a form or an image of another site cannot. */
export const pageHeader = 'x-flux-pod';

/** Who asks; undefined where nobody is named. Throws a Problem (401) where what is said is wrong. `findToken` compares a token. */
export function authenticate(
  { headers, secure }: Pick<Asked, 'headers' | 'secure'>,
  credentials: Credentials,
  sessions: Sessions,
  findToken: (secret: string) => Token | undefined,
): Principal | undefined {
  const { tokens } = credentials;
  if (tokens === undefined) return { role: 'write', token: 'loopback', by: 'loopback' };
  refuseWithoutTokens(credentials);
  const { authorization } = headers;
  if (authorization !== undefined) {
    const said = readAuthorization(authorization);
    // A session that has ended, as all do when the leader starts anew, is no guess at a token.
    const session = said && isSession(said.secret) ? endedOr(sessions.find(said.secret, tokens)) : undefined;
    const token = session?.token ?? (said && findToken(said.secret));
    if (!token) throw unauthorized('The Authorization header names no token of this API.');
    const user = session?.user ?? said?.user;
    return { role: token.role, token: token.id, by: 'header', ...(user !== undefined && { user }) };
  }
  const cookie = sessionCookie(headers, secure);
  if (cookie === undefined) return undefined;
  const { token } = endedOr(sessions.find(cookie, tokens));
  return { role: token.role, token: token.id, by: 'cookie' };
}

/** Whoever asks may be right, and is not refused as one who is wrong. */
export function refuseWithoutTokens({ tokenFault }: Credentials): void {
  if (tokenFault === undefined) return;
  throw new Problem(
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
 * RFC 9110, 11.6.1. No Basic challenge, though Basic is understood: browsers would ask for a password, keep it, and send it with
 * whatever another site makes them ask.
 */
export const unauthorized = (detail: string): Problem =>
  new Problem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="flux-pod"' } });

/** `Bearer TOKEN`, or `Basic BASE64(user:TOKEN)`. */
export function readAuthorization(header: string): { secret: string; user?: string } | undefined {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { secret: value };
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const [, user = '', secret = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? [];
  return { secret, ...nameOf(user, secret) };
}

/** A name that is fit for a log: not the secret, which some put in both places. */
export const nameOf = (user: unknown, secret: string): { user?: string } =>
  typeof user === 'string' && user !== secret && /^[\w.@+-]{1,64}$/.test(user) ? { user } : {};

/**
 * Refuses changes that another site made a browser ask for: by the headers that browsers set and pages cannot (Fetch Metadata,
 * Origin), and, where the cookie says who asks, by the lack of one that only our page sets.
 */
export function refuseForgery(headers: IncomingHttpHeaders, principal: Principal | undefined): void {
  const site = headers['sec-fetch-site'];
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (foreign || !isOwnOrigin(headers)) {
    throw new Problem('forbidden', 'A page of another site has asked for this.');
  }
  if (principal?.by === 'cookie' && headers[pageHeader] === undefined) {
    throw new Problem(
      'forbidden',
      `With the cookie alone nothing is changed: the header ${pageHeader} is missing.`,
    );
  }
}

function isOwnOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Without tokens, a name that leads here from elsewhere (DNS rebinding) must not make a browser ask for anything. */
export function refuseRebinding({ host }: IncomingHttpHeaders, { tokens }: Credentials): void {
  if (tokens !== undefined) return;
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  if (!isLoopback(name.replace(/^\[|\]$/g, '')))
    throw new Problem('forbidden', 'This API listens for this machine only: ask it by a loopback address.');
}
