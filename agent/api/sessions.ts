/**
 * Sessions: what the page gets for a token, in a cookie, and flux-restful-api's client as an access token. A session says which
 * token it stands for and until when, signed with a key of this process: nothing is kept, and with its token it ends.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Instant, instant } from '../clock.ts';
import type { Token } from './credentials.ts';

export interface Sessions {
  /** Begins a session for `token`; `user` is who says so, for the log. */
  readonly begin: (token: Token, user?: string) => string;
  /** Whom a session stands for, while it and its token are good. */
  readonly find: (session: string, tokens: readonly Token[]) => { token: Token; user?: string } | undefined;
}

/** As long as flux-restful-api's. */
export const sessionSeconds = 36_000;
const prefix = 'fps1';

/** Whether a text has the form of a session, good or not. */
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
