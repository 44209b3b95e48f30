import { expect, it } from 'vitest';
import { ApiError, isTransient } from '../../../controller/kubernetes/api.ts';
import { httpApi } from '../../../controller/kubernetes/http-api.ts';
import { pathOf, resources } from '../../../controller/kubernetes/resources.ts';
import { type Fault, startApiServer } from '../../support/kubernetes/api-server.ts';

const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'hpc' },
  data: { a: 'b' },
});

it.each<[Fault, { status: number; retryAfterMs?: number; isThere?: boolean }]>([
  ['reset', { status: 0 }],
  ['lost answer', { status: 0, isThere: true }],
  ['unavailable', { status: 503 }],
  ['too many requests', { status: 429, retryAfterMs: 7000 }],
  ['conflict', { status: 409 }],
  ['silence', { status: 0 }],
  ['half an answer', { status: 0, isThere: true }],
  ['half an answer, then silence', { status: 0, isThere: true }],
])(
  'a request that is answered by "%s" fails as %o',
  async (fault, { status, retryAfterMs = 0, isThere = false }) => {
    await using server = await startApiServer();
    server.fault = () => fault;
    // The time for the request to arrive, where no answer comes.
    const api = httpApi(server.config, { answerMs: fault.endsWith('silence') ? 2000 : 20_000 });
    const error = await api.apply(configMap('mc')).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status, retryAfterMs });
    expect(String(error)).toContain('PATCH /api/v1/namespaces/hpc/configmaps/mc: ');
    expect(server.store.find(pathOf(resources.configMaps, {}), 'hpc', 'mc') !== undefined).toBe(isThere);
  },
);

it('a request whose credentials cannot be read fails as one that finds no API server', async () => {
  await using server = await startApiServer();
  server.config.applySecurityAuthentication = () => Promise.reject(new Error('no such file'));
  const error = await httpApi(server.config)
    .apply(configMap('mc'))
    .catch((reason: unknown) => reason);
  expect(isTransient(error)).toBe(true);
  expect(String(error)).toMatch(/PATCH .*\/configmaps\/mc: no such file/);
});

it('the last good credentials are used until new ones can be read', async () => {
  await using server = await startApiServer();
  let time = 0;
  let reads = 0;
  const { applySecurityAuthentication } = server.config;
  server.config.applySecurityAuthentication = async (context) => {
    if (++reads === 2) throw new Error('no such file');
    await applySecurityAuthentication.call(server.config, context);
  };
  const api = httpApi(server.config, { now: () => time });
  for (const name of ['one', 'two', 'three', 'four']) {
    await api.apply(configMap(name));
    if (name === 'one') time += 60_000;
  }
  expect(reads).toBe(3);
});

it('a watch that is not answered at all fails', async () => {
  await using server = await startApiServer();
  server.fault = () => 'silence';
  const api = httpApi(server.config, { answerMs: 300 });
  const watch = api.watch(
    resources.configMaps,
    { resourceVersion: '1' },
    () => undefined,
    AbortSignal.timeout(20_000),
  );
  await expect(watch).rejects.toMatchObject({
    status: 0,
    message: expect.stringMatching(/headers timeout/i),
  });
});

it('a list that is longer than a page has all its objects, as they were at one moment', async () => {
  await using server = await startApiServer();
  const collection = pathOf(resources.configMaps, {});
  for (let index = 0; index < 1203; index++) server.store.create(collection, configMap(`mc-${index}`));
  const version = String(server.store.version());
  const api = httpApi(server.config);
  let pages = 0;
  server.fault = ({ query }) => {
    // Between the pages one object goes and one comes.
    if (query.has('continue') && pages++ === 0) {
      server.store.delete(collection, 'hpc', 'mc-1', {});
      server.store.create(collection, configMap('late'));
    }
    return undefined;
  };
  const { items, resourceVersion } = await api.list(resources.configMaps, {}, AbortSignal.timeout(20_000));
  expect(pages).toBe(2);
  expect(new Set(items.map(({ metadata }) => metadata.name)).size).toBe(1203);
  // The watch goes on from there: what happened between the pages is not missed.
  expect(resourceVersion).toBe(version);
});
