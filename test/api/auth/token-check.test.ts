import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Credentials } from '../../../agent/api/auth/credentials.ts';
import { createTokenCheck } from '../../../agent/api/auth/token-check.ts';
import { createRateLimit } from '../../../agent/http/rate-limit.ts';
import { readToken, startApi, writeToken } from '../../support/agent/fake-api.ts';

type Api = Awaited<ReturnType<typeof startApi>>;

const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`me:${token}`).toString('base64')}`,
});
/** The ways in which a client presents a token. */
const ways: readonly (readonly [string, (api: Api, token: string) => ReturnType<Api['ask']>])[] = [
  ['as Bearer of any request', (api, token) => api.ask('GET', '/v1/session', { token })],
  [
    'as password of any request',
    (api, token) => api.ask('GET', '/v1/session', { token: '', headers: basic(token) }),
  ],
  ['on the web page', (api, token) => api.ask('POST', '/v1/session', { token: '', body: { token } })],
  ['for an access token', (api, token) => api.ask('POST', '/v1/token', { token: '', headers: basic(token) })],
];

describe.each(ways)('1,500 wrong tokens from one address, %s', (_, present) => {
  it('are compared until there were 20; then neither they nor the right one, until the debt is paid; a token that was used from there works throughout', async () => {
    let now = 0;
    using api = await startApi({}, { now: () => now });
    const known = async () => (await present(api, readToken)).status;
    expect(await known()).toBe(200);
    const statuses: number[] = [];
    for (let tens = 0; tens < 150; tens++) {
      const guesses = Array.from({ length: 10 }, (__, place) =>
        present(api, `wrong-0123456789-${tens}-${place}`),
      );
      statuses.push(...(await Promise.all(guesses)).map(({ status }) => status));
      if (tens % 10 === 0) expect(await known()).toBe(200);
    }
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(1480).fill(429)]);
    const right = await present(api, writeToken);
    expect(right.status).toBe(429);
    expect(right.json.detail).toMatch(/^Too many wrong tokens have come from this address/);
    expect(right.headers.get('retry-after')).toBe('2');
    expect(await known()).toBe(200);
    now += 2000;
    expect((await present(api, writeToken)).status).toBe(200);
  }, 60_000);
});

describe('what is no guess', () => {
  it('costs nothing: sessions that ended with a restart of the leader lock no client out', async () => {
    using before = await startApi();
    const { json } = await before.ask('POST', '/v1/token', { token: '', headers: basic(writeToken) });
    const { headers } = await before.ask('POST', '/v1/session', { token: '', body: { token: writeToken } });
    const cookie = headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    using api = await startApi();
    for (let poll = 0; poll < 25; poll++) {
      expect((await api.ask('GET', '/v1/jobs', { token: json.access_token })).status).toBe(401);
      expect((await api.ask('GET', '/v1/jobs', { token: '', headers: { cookie } })).status).toBe(401);
    }
    expect((await api.ask('GET', '/v1/session', { token: writeToken })).status).toBe(200);
  });
});

describe('the check of a token', () => {
  const tokenOf = (text: string) => {
    const hash = createHash('sha256').update(text).digest();
    return { role: 'read', hash, id: hash.toString('hex', 0, 4) } as const;
  };
  const credentials = (...tokens: string[]): Credentials => ({
    tokens: tokens.map(tokenOf),
    secretKey: undefined,
    tls: undefined,
  });
  const start = (most?: number) => {
    const clock = { now: 0 };
    const check = createTokenCheck(
      createRateLimit(0.5, 3, () => clock.now),
      most,
    );
    const find = (from: string, secret: string, known = credentials('one', 'two')) => {
      try {
        return check.find(from, secret, known) ? 'right' : 'wrong';
      } catch {
        return 'not compared';
      }
    };
    return { clock, find };
  };

  it('allows one more every two seconds, for the first client that comes', () => {
    const { clock, find } = start();
    for (let guess = 0; guess < 3; guess++) expect(find('a', `x${guess}`)).toBe('wrong');
    expect(find('a', 'one')).toBe('not compared');
    clock.now = 1999;
    expect(find('a', 'one')).toBe('not compared');
    clock.now = 2000;
    expect(find('a', 'x')).toBe('wrong');
    expect(find('a', 'one')).toBe('not compared');
    clock.now = 4000;
    expect(find('a', 'one')).toBe('right');
    // From now on it is known there, and what is right costs nothing.
    for (let guess = 0; guess < 3; guess++) find('a', `x${guess}`);
    expect(find('a', 'one')).toBe('right');
    expect(find('a', 'two')).toBe('not compared');
  });

  it('does not make one address pay for another, nor take what was right there for right here', () => {
    const { find } = start();
    expect(find('b', 'one')).toBe('right');
    for (let guess = 0; guess < 4; guess++) find('a', `x${guess}`);
    expect(find('a', 'one')).toBe('not compared');
    expect(find('b', 'two')).toBe('right');
  });

  it('forgets a token that was revoked, and compares it no more than another guess', () => {
    const { find } = start();
    expect(find('a', 'one')).toBe('right');
    const left = credentials('two');
    expect([1, 2, 3, 4].map(() => find('a', 'one', left))).toEqual([
      'wrong',
      'wrong',
      'wrong',
      'not compared',
    ]);
  });

  it('remembers a bounded number of tokens, those that were used last', () => {
    const { find } = start(2);
    for (const from of ['a', 'b', 'a', 'c']) expect(find(from, 'one')).toBe('right');
    for (const from of ['a', 'b', 'c']) for (let guess = 0; guess < 3; guess++) find(from, `x${guess}`);
    expect(['a', 'b', 'c'].map((from) => find(from, 'one'))).toEqual(['right', 'not compared', 'right']);
  });
});
