/** Sign-in of the page: a token becomes a session in a cookie. */
import { unauthorized } from '../auth/authenticate.ts';
import { cameByTls, clearCookies, sessionCookie, setCookie } from '../auth/cookies.ts';
import type { Role } from '../auth/credentials.ts';
import type { Context } from '../context.ts';
import { type Route, route } from '../http/route.ts';
import { messageAnswer, sessionAnswer, sessionBody } from './api-schemas.ts';

export const sessionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/session',
    role: 'read',
    tag: 'Sign-in',
    summary: 'The session: its role and its MiniCluster',
    answer: sessionAnswer,
    handle: async ({ principal, context }) => ({ json: sessionOf(context, principal?.role ?? 'read') }),
  }),
  route({
    method: 'POST',
    path: '/v1/session',
    role: 'none',
    tag: 'Sign-in',
    summary: 'Sign in with a token: the answer sets a cookie',
    description: 'With the cookie changes also need the header `X-Flux-Pod`, which no other site can send.',
    change: 'sign in',
    body: sessionBody,
    answer: sessionAnswer,
    handle: async ({ body, headers, context, secure, findToken, note }) => {
      const { tokens } = context.credentials();
      if (tokens === undefined) return { json: sessionOf(context, 'write') };
      const token = findToken(body.token.trim());
      if (!token) throw unauthorized('This is no token of this API.');
      note({ role: token.role, token: token.id });
      const cookie = setCookie(context.sessions.begin(token), cameByTls(headers, secure));
      return { json: sessionOf(context, token.role), headers: { 'set-cookie': cookie } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/session',
    role: 'none',
    tag: 'Sign-in',
    summary: 'Sign out',
    change: 'sign out',
    answer: messageAnswer,
    handle: async ({ headers, context, secure, note }) => {
      const { tokens = [] } = context.credentials();
      const session = context.sessions.find(sessionCookie(headers, secure) ?? '', tokens);
      if (session) note({ role: session.token.role, token: session.token.id });
      return {
        json: { Message: 'You are signed out.' },
        headers: { 'set-cookie': clearCookies() },
      };
    },
  }),
];

const sessionOf = ({ cluster, version, credentials }: Context, role: Role) => ({
  role,
  cluster,
  version,
  signedIn: credentials().tokens !== undefined,
});
