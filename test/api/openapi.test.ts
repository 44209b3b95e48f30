import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCredentials } from '../../agent/api/auth/credentials.ts';
import { apiRoutes } from '../../agent/api/routes/api-routes.ts';
import { openapiOf } from '../../agent/api/routes/openapi.ts';
import { ExitCode } from '../../agent/errors.ts';
import { configurationOf } from '../support/agent/configuration.ts';
import { startApi } from '../support/agent/fake-api.ts';

describe('the description', () => {
  const document = openapiOf(apiRoutes, { version: '1' });
  it('is OpenAPI 3.1 and has every route, each with a name of its own', () => {
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path)) as {
      operationId: string;
    }[];
    expect(document.openapi).toMatch(/^3\.1/);
    expect(operations).toHaveLength(apiRoutes.length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(apiRoutes.length);
  });

  it('has the schemas that requests are checked by', () => {
    const text = JSON.stringify(document.paths['/v1/jobs']);
    expect(text).toMatch(/"coresPerTask":\{[^}]*"type":"integer","minimum":1,/);
    expect(text).toContain('"name":"Idempotency-Key"');
    expect(text).toContain('"description":"at most 1048576 bytes"');
  });

  it('is served with a page to read it, kept by browsers while it is the same', async () => {
    using api = await startApi();
    expect((await api.ask('GET', '/v1/openapi.json', { token: '' })).json.info.title).toBe('flux-pod');
    const { headers, text } = await api.ask('GET', '/v1/docs', { token: '' });
    expect(text).toContain('/v1/jobs/{id}/output/stream');
    const etag = headers.get('etag') ?? '';
    const again = await api.ask('GET', '/v1/docs', { token: '', headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });
});

describe('an API without a token', () => {
  it('is no configuration, unless it listens on loopback only', () => {
    const refused = { exitCode: ExitCode.configuration, message: expect.stringMatching(/API_TOKENS/) };
    expect(() => configurationOf({ api: 'on' })).toThrow(expect.objectContaining(refused));
    expect(() => configurationOf({ api: 'on', apiListen: '10.0.0.1:80' })).toThrow(
      expect.objectContaining(refused),
    );
    expect(configurationOf({ api: 'on', apiListen: '127.0.0.1:80' }).api).toBe('on');
    expect(configurationOf({ api: 'on', apiListen: '[::1]:80' }).api).toBe('on');
  });

  it('is refused at the start where the Secret holds none (exit 78)', () => {
    const configuration = configurationOf({ api: 'on', apiTokens: '/nowhere/api' });
    const refused = { exitCode: ExitCode.configuration, message: expect.stringMatching(/no token in/) };
    expect(() => readCredentials(configuration)).toThrow(expect.objectContaining(refused));
  });
});

describe('the way to the broker', () => {
  it('loads nothing of the API: only types of it are named in what is loaded then', () => {
    const files = readdirSync('agent/lifecycle', { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(`agent/lifecycle/${file}`, 'utf8');
      expect(text.match(/^import (?!type).*\/api\//gm), file).toBeNull();
    }
  });
});
