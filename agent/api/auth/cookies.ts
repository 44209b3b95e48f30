/** The cookie that a session is kept in (RFC 6265). Scripts never see it, and other sites never have it sent. Data in, data out. */
import type { IncomingHttpHeaders } from 'node:http';
import { sessionSeconds } from './sessions.ts';

const plainName = 'flux_pod_session';
/** Browsers take this name over TLS only, and from this host only: no neighbour can plant it (RFC 6265bis, 4.1.3.2). */
const tlsName = `__Host-${plainName}`;

/** The session that a browser sends. The other name is not believed on a connection that is TLS (`encrypted`). */
export function sessionCookie({ cookie = '' }: IncomingHttpHeaders, encrypted: boolean): string | undefined {
  const pairs = cookie.split(';').map((pair) => pair.trim());
  const named = (name: string) => pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  return named(tlsName) ?? (encrypted ? undefined : named(plainName));
}

/** A Set-Cookie header that begins a session, in a form that the browser keeps. */
export const setCookie = (session: string, byTls: boolean): string => format(session, sessionSeconds, byTls);

/** Set-Cookie headers that end the session, whichever name it has. */
export const clearCookies = (): string[] => [format('', 0, false), format('', 0, true)];

const format = (value: string, seconds: number, byTls: boolean): string =>
  `${byTls ? tlsName : plainName}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${byTls ? '; Secure' : ''}`;

/**
 * Whether the browser has come by TLS, be it to an ingress. It says so itself in Origin, whenever it changes something; a proxy
 * says it in X-Forwarded-Proto. A false header harms only the client that sends it: its browser does not keep the cookie.
 */
export function cameByTls(headers: IncomingHttpHeaders, encrypted: boolean): boolean {
  if (encrypted) return true;
  const { origin, 'x-forwarded-proto': forwarded } = headers;
  if (origin !== undefined) return origin.startsWith('https://');
  return /^https$/i.test(
    String(forwarded ?? '')
      .split(',', 1)[0]
      ?.trim() ?? '',
  );
}
