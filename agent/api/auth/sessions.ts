/**
 * Sessions: the page has one in a cookie, flux-restful-api's client as an access token. A session names its token and its expiry, signed with
 * a key of this process: there is no table of sessions, and a session ends with its token.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Instant, instant } from '../../clock.ts';
import type { Token } from './credentials.ts';

export interface Sessions {
  /** Begins a session of `token`; `user` is the client's name for itself, for the log. */
  readonly begin: (token: Token, user?: string) => string;
  /** The token and the user of a session, while both session and token are valid. */
  readonly find: (session: string, tokens: readonly Token[]) => { token: Token; user?: string } | undefined;
}

/** As long as flux-restful-api's. */
export const sessionSeconds = 36_000;
const prefix = 'fps1';

/** Whether a text has the form of a session, valid or not. */
export const isSession = (text: string): boolean => text.startsWith(`${prefix}.`);

export function createSessions(now: () => Instant = instant): Sessions {
  const key = randomBytes(32);
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return {
    begin: (token, user = '') => {
      const expires = Math.floor(now() / 1000) + sessionSeconds;
      const claim = [prefix, token.hash.toString('base64url'), expires, base64url(user)].join('.');
      return `${claim}.${sign(claim).toString('base64url')}`;
    },
    find: (session, tokens) => {
      const [version, hash = '', expires, user = '', signature = '', ...more] = session.split('.');
      if (version !== prefix || more.length > 0) return undefined;
      const expected = sign([version, hash, expires, user].join('.'));
      const given = Buffer.from(signature, 'base64url');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      if (Number(expires) * 1000 < now()) return undefined;
      const token = tokens.find((candidate) => candidate.hash.toString('base64url') === hash);
      const name = Buffer.from(user, 'base64url').toString();
      return token && { token, ...(name !== '' && { user: name }) };
    },
  };
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');
