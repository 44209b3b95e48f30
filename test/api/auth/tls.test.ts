import { once } from 'node:events';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, writeTls, writeToken } from '../../support/agent/fake-api.ts';
import { selfSigned } from '../../support/agent/self-signed.ts';

describe('an API with a certificate', () => {
  const first = selfSigned();
  let api: Awaited<ReturnType<typeof startApi>>;
  beforeEach(async () => {
    api = await startApi({ rpc: { 'job-ingest.submit': () => ({ id: 42 }) } }, { tls: first });
  });
  afterEach(() => api.close());

  async function ask(path: string, options: RequestOptions, body?: unknown) {
    const headers = { authorization: `Bearer ${writeToken}`, 'content-type': 'application/json' };
    const asking = request({ host: '127.0.0.1', port: api.port, path, agent: false, headers, ...options });
    asking.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(asking, 'response');
    return { status: response.statusCode, headers: response.headers, text: await text(response) };
  }

  it('takes a job over TLS from a client that trusts the certificate', async () => {
    const { status } = await ask('/v1/jobs', { method: 'POST', ca: first.cert }, { command: ['true'] });
    expect(status).toBe(201);
    await expect(ask('/v1/session', {})).rejects.toMatchObject({ code: /SELF_SIGNED|VERIFY/ });
  });

  it('gives the page a cookie that travels by TLS only', async () => {
    const { status, headers } = await ask(
      '/v1/session',
      { method: 'POST', ca: first.cert },
      { token: writeToken },
    );
    expect(status).toBe(200);
    expect(String(headers['set-cookie'])).toMatch(/^__Host-flux_pod_session=.*; Secure$/);
  });

  it('answers no plain HTTP', async () => {
    const asking = plainRequest({
      host: '127.0.0.1',
      port: api.port,
      path: '/v1/session',
      agent: false,
    }).end();
    await expect(once(asking, 'response')).rejects.toThrow();
  });

  it('speaks TLS 1.2 at least', async () => {
    const old = connect({
      host: '127.0.0.1',
      port: api.port,
      ca: first.cert,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
    });
    await expect(once(old, 'secureConnect')).rejects.toThrow();
  });

  it('uses the certificate that is mounted in place of the old one, and keeps the old one where the new is none', async () => {
    writeTls(api.directory, { cert: 'no certificate', key: first.key });
    await expect
      .poll(() => api.log.lines.some(([, line]) => /keeps the certificate/.test(String(line))))
      .toBe(true);
    expect((await ask('/v1/session', { ca: first.cert })).status).toBe(200);
    const second = selfSigned();
    writeTls(api.directory, second);
    await expect
      .poll(() => ask('/v1/session', { ca: second.cert }).then(({ status }) => status, String))
      .toBe(200);
    await expect(ask('/v1/session', { ca: first.cert })).rejects.toThrow();
    expect(JSON.stringify(api.log.lines)).not.toContain('PRIVATE KEY');
  });
});
