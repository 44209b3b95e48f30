import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sessionCookie } from '../../../agent/api/auth/cookies.ts';
import { startApi, writeToken } from '../../support/agent/fake-api.ts';

let api: Awaited<ReturnType<typeof startApi>>;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const signIn = async (headers: Record<string, string>) =>
  (
    await api.ask('POST', '/v1/session', { token: '', body: { token: writeToken }, headers })
  ).headers.getSetCookie();
const nameOf = (cookie = '') => cookie.split('=', 1)[0];
const flagsOf = (cookie = '') => cookie.split('; ').slice(1);

describe('the cookie of a browser that has come', () => {
  const overTls = (url: string) => url.replace('http:', 'https:');
  it.each<[string, (url: string) => Record<string, string>, boolean]>([
    ['by TLS to an ingress, as it says itself', (url) => ({ origin: overTls(url) }), true],
    ['by TLS to an ingress, as that says', () => ({ 'x-forwarded-proto': 'https' }), true],
    ['by TLS to the first of two proxies', () => ({ 'x-forwarded-proto': 'HTTPS, http' }), true],
    ['in the clear, as it says itself', (url) => ({ origin: url }), false],
    ['in the clear, whatever a proxy says', (url) => ({ origin: url, 'x-forwarded-proto': 'https' }), false],
    ['in the clear to an ingress', () => ({ 'x-forwarded-proto': 'http' }), false],
    ['from where nobody says', () => ({}), false],
  ])('%s: Secure and bound to the host by its name, or neither', async (_, headersOf, byTls) => {
    const headers = headersOf(api.url);
    const [begun] = await signIn(headers);
    expect(nameOf(begun)).toBe(byTls ? '__Host-flux_pod_session' : 'flux_pod_session');
    expect(flagsOf(begun)).toEqual([
      'Path=/',
      'Max-Age=36000',
      'HttpOnly',
      'SameSite=Strict',
      ...(byTls ? ['Secure'] : []),
    ]);

    const cookie = begun?.split(';', 1)[0] ?? '';
    const session = await api.ask('GET', '/v1/session', { token: '', headers: { cookie } });
    expect(session.json.role).toBe('write');

    // A browser ends the cookie that has the same name and path, and, for a name with this prefix, only where it is Secure.
    const signedOut = await api.ask('DELETE', '/v1/session', { token: '', headers: { cookie, ...headers } });
    const ended = signedOut.headers.getSetCookie().find((each) => nameOf(each) === nameOf(begun));
    expect(ended?.split(';', 1)[0]).toBe(`${nameOf(begun)}=`);
    expect(flagsOf(ended)).toEqual(flagsOf(begun).map((flag) => flag.replace('=36000', '=0')));
  });
});

describe('a cookie that a neighbour has planted', () => {
  const planted = 'flux_pod_session=planted';
  it.each<[string, string, boolean, string | undefined]>([
    [
      'does not take the place of the one that is bound to the host',
      `${planted}; __Host-flux_pod_session=own`,
      false,
      'own',
    ],
    ['is not looked at where the API itself speaks TLS', planted, true, undefined],
    [
      'has a name that only begins alike',
      'flux_pod_session2=planted; x__Host-flux_pod_session=y',
      false,
      undefined,
    ],
  ])('%s', (_, cookie, encrypted, session) => {
    expect(sessionCookie({ cookie }, encrypted)).toBe(session);
  });
});
