import { createHmac } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sessionSeconds } from '../../../agent/api/auth/sessions.ts';
import { idOfToken, readToken, startApi, writeToken } from '../../support/agent/fake-api.ts';

const secretKey = 'a-secret-key-of-flux-restful-api';
const seconds = () => Math.floor(Date.now() / 1000);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** As `jose.jwt.encode` of flux-restful-api's client does it (clients/python/flux_restful_client/main/client.py). */
function jwtOf(
  claims: object,
  key: string | undefined = secretKey,
  header: object = { alg: 'HS256', typ: 'JWT' },
) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
const claims = { user: 'fluxuser', pass: writeToken, scope: 'token' };

let api: Awaited<ReturnType<typeof startApi>>;
let now = 0;
beforeEach(async () => {
  api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: 42 }) } }, { secretKey, now: () => now });
});
afterEach(() => api.close());
const exchange = (token: string) => api.ask('POST', '/v1/token', { token });
const job = { command: 'hostname' };

describe('the client of flux-restful-api', () => {
  it('is refused, asks for an access token with a JWT, and submits with that', async () => {
    const first = await api.ask('POST', '/v1/jobs/submit', { token: '', body: job });
    expect([first.status, first.headers.has('www-authenticate')]).toEqual([401, true]);
    const { status, json } = await exchange(jwtOf(claims));
    expect({ status, json }).toEqual({
      status: 200,
      json: { access_token: expect.not.stringContaining(writeToken), token_type: 'Bearer' },
    });
    const submitted = await api.ask('POST', '/v1/jobs/submit', { token: json.access_token, body: job });
    expect(submitted.json).toEqual({ Message: 'Job submit.', id: 'fj' });
    const facts = { role: 'write', token: idOfToken(writeToken), user: 'fluxuser', job: 'fj' };
    expect(api.log.lines.at(-1)).toMatchObject(['info', 'API: submit a job', facts]);
  });

  it('needs no key where the Secret has none: the token signs', async () => {
    using plain = await startApi();
    const ask = (token: string) => plain.ask('POST', '/v1/token', { token });
    expect((await ask(jwtOf(claims, writeToken))).status).toBe(200);
    expect((await ask(jwtOf(claims))).status).toBe(401);
  });

  it.each<[string, () => string]>([
    ['with another key', () => jwtOf(claims, 'another')],
    ['with the token in place of the key', () => jwtOf(claims, writeToken)],
    ['with an empty key', () => jwtOf(claims, '')],
    ['by no algorithm', () => `${encode({ alg: 'none' })}.${encode(claims)}.`],
    ['by no algorithm, with a signature', () => jwtOf(claims, secretKey, { alg: 'none' })],
    ['by another algorithm', () => jwtOf(claims, secretKey, { alg: 'HS512' })],
    [
      'with an extension that must be understood',
      () => jwtOf(claims, secretKey, { alg: 'HS256', crit: ['b64'] }),
    ],
    [
      'and then changed',
      () => jwtOf(claims).replace(/\.[^.]*\./, `.${encode({ ...claims, user: 'root' })}.`),
    ],
    ['and then cut', () => jwtOf(claims).slice(0, -1)],
    ['for another scope', () => jwtOf({ ...claims, scope: 'admin' })],
    ['with a token that is none', () => jwtOf({ ...claims, pass: 'wrong-0123456789abcdef' })],
    ['without a token', () => jwtOf({ user: 'fluxuser', scope: 'token' })],
    ['until a moment ago', () => jwtOf({ ...claims, exp: seconds() - 1 })],
    ['until no number', () => jwtOf({ ...claims, exp: 'never' })],
    ['from tomorrow on', () => jwtOf({ ...claims, nbf: seconds() + 86_400 })],
    ['for another service', () => jwtOf({ ...claims, aud: 'https://elsewhere.example' })],
  ])('gets 401 for a JWT that is signed %s', async (_, make) => {
    expect((await exchange(make())).status).toBe(401);
  });

  it('may say how long its JWT is good', async () => {
    expect((await exchange(jwtOf({ ...claims, exp: seconds() + 60, nbf: seconds() - 60 }))).status).toBe(200);
  });

  it('cannot raise its role', async () => {
    const raised = { ...claims, pass: readToken, role: 'write', admin: true, is_superuser: true };
    const token = (await exchange(jwtOf(raised))).json.access_token;
    expect((await api.ask('GET', '/v1/session', { token })).json.role).toBe('read');
    expect((await api.ask('POST', '/v1/jobs/submit', { token, body: job })).status).toBe(403);
  });

  it('cannot use the JWT itself for anything else: it is no access token', async () => {
    expect((await api.ask('GET', '/v1/jobs', { token: jwtOf(claims) })).status).toBe(401);
  });
});

describe('an access token', () => {
  const begin = async (): Promise<string> => (await exchange(jwtOf(claims))).json.access_token;
  const statusWith = async (token: string) => (await api.ask('GET', '/v1/session', { token })).status;

  it('ends after ten hours', async () => {
    const token = await begin();
    now += sessionSeconds * 1000;
    expect(await statusWith(token)).toBe(200);
    now += 1001;
    expect(await statusWith(token)).toBe(401);
  });

  it('is no good once a letter is changed, and gets no new one', async () => {
    const token = await begin();
    for (const place of [5, 20, 60, token.length - 3]) {
      const other = token[place] === 'A' ? 'B' : 'A';
      expect(await statusWith(`${token.slice(0, place)}${other}${token.slice(place + 1)}`)).toBe(401);
    }
    expect((await exchange(token)).status).toBe(401);
  });

  it('ends with the token that it was had for, and so does the way to another', async () => {
    const token = await begin();
    rmSync(join(api.directory, 'read'));
    writeFileSync(join(api.directory, 'write'), 'another-0123456789abcdef\n');
    await expect.poll(() => statusWith(token), { timeout: 10_000 }).toBe(401);
    expect((await exchange(jwtOf(claims))).status).toBe(401);
    expect((await exchange(jwtOf({ ...claims, pass: 'another-0123456789abcdef' }))).status).toBe(200);
  });
});
