/** The cookie of a session (RFC 6265): HttpOnly and SameSite=Strict. Data in, data out. */
import type { IncomingHttpHeaders } from 'node:http';
import { sessionSeconds } from './sessions.ts';

const plainName = 'flux_pod_session';
/** Browsers accept this name over TLS and from this host only: no sibling domain can set it (RFC 6265bis, 4.1.3.2). */
const tlsName = `__Host-${plainName}`;

/** The session of a request. On a TLS connection (`encrypted`) the plain name is ignored. */
export function sessionCookie({ cookie = '' }: IncomingHttpHeaders, encrypted: boolean): string | undefined {
  const pairs = cookie.split(';').map((pair) => pair.trim());
  const named = (name: string) => pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  return named(tlsName) ?? (encrypted ? undefined : named(plainName));
}

/** A Set-Cookie header that begins a session, in a form that the browser accepts. */
export const setCookie = (session: string, byTls: boolean): string => format(session, sessionSeconds, byTls);

/** Set-Cookie headers that end the session, whichever name it has. */
export const clearCookies = (): string[] => [format('', 0, false), format('', 0, true)];

const format = (value: string, seconds: number, byTls: boolean): string =>
  `${byTls ? tlsName : plainName}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${byTls ? '; Secure' : ''}`;

/**
 * Whether the browser's connection is TLS, possibly to an ingress: by Origin, which browsers send with each change, or by a proxy's
 * X-Forwarded-Proto. A false header harms only the client that sends it: its browser rejects the cookie.
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
