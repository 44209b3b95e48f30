import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod/mini';
import { createRouter } from '../../agent/api/http/find-route.ts';
import { parsePath } from '../../agent/api/http/request.ts';
import { type PathParameter, route } from '../../agent/api/http/route.ts';
import { apiRoutes } from '../../agent/api/routes/api-routes.ts';
import { jobId } from '../../agent/api/routes/job-id-parameter.ts';
import { openapiOf } from '../../agent/api/routes/openapi.ts';

const part: PathParameter<number> = { description: 'a part, from 0', read: Number };
const row = { method: 'GET', role: 'read', tag: 'Test', summary: 'a part', answer: z.string() } as const;
const partOfJob = route({
  ...row,
  path: '/v1/jobs/{id}/parts/{part}',
  params: { id: jobId, part },
  query: z.object({ long: z.optional(z.boolean()) }),
  handle: async ({ params, query, body }) => {
    expectTypeOf(params).toEqualTypeOf<{ readonly id: bigint; readonly part: number }>();
    expectTypeOf(query).toEqualTypeOf<{ long?: boolean | undefined }>();
    expectTypeOf(body).toEqualTypeOf<undefined>();
    return { json: `${params.id} ${params.part}` };
  },
});

describe('the parameters of a path', () => {
  it('are values of the types that their names have in the row', () => {
    const { route: found, params } = createRouter([partOfJob]).find('GET', '/v1/jobs/f2/parts/7');
    expect(parsePath(found, params)).toEqual({ id: 1n, part: 7 });
  });

  it('are those of the template: one too few or too many does not compile', () => {
    const handle = async () => ({ json: '' });
    // @ts-expect-error `part` is missing
    route({ ...row, path: '/v1/jobs/{id}/parts/{part}', params: { id: jobId }, handle });
    // @ts-expect-error there are no parameters in this path
    route({ ...row, path: '/v1/jobs', params: { id: jobId }, handle });
    // @ts-expect-error `params` is missing
    route({ ...row, path: '/v1/jobs/{id}', handle });
  });

  it('are in OpenAPI with their descriptions, in every route', () => {
    const { paths } = openapiOf([...apiRoutes, partOfJob], { version: '1' });
    const parametersOf = (path: string, method: string) => {
      const operation = paths[path]?.[method.toLowerCase()] as { parameters: Record<string, unknown>[] };
      return operation.parameters;
    };
    for (const { path, method } of apiRoutes) {
      const named = parametersOf(path, method).filter((parameter) => parameter.in === 'path');
      expect(named.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    }
    expect(parametersOf(partOfJob.path, 'GET').slice(0, 2)).toEqual([
      { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: jobId.description },
      { name: 'part', in: 'path', required: true, schema: { type: 'string' }, description: part.description },
    ]);
  });
});

describe('a request header that a handler reads', () => {
  it('is in OpenAPI of each route that takes it', () => {
    const { paths } = openapiOf(apiRoutes, { version: '1' });
    const takes = Object.entries(paths).flatMap(([path, operations]) =>
      JSON.stringify(operations).includes('"name":"Idempotency-Key","in":"header"') ? [path] : [],
    );
    expect(takes).toEqual(['/v1/jobs', '/v1/jobs/submit']);
  });
});
