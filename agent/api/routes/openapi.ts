/** OpenAPI 3.1 of the routes, from the same schemas that check requests, and a page to read it. Data in, data out. */
import * as z from 'zod/mini';
import { largestBodyOf } from '../http/request.ts';
import type { Route } from '../http/route.ts';
import { problemKinds } from '../problem.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

export function openapiOf(routes: readonly Route[], { version }: { version: string }) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operationOf(route);
    paths[route.path] = path;
  }
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'flux-pod',
      version,
      description:
        'The MiniCluster of this pod. Jobs run as the owner of the Flux instance, whoever submits them: a token that may write is as good ' +
        'as a shell in the pods.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }, { basic: [] }, { cookie: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'a token of the mounted Secret' },
        basic: { type: 'http', scheme: 'basic', description: 'any user, the token as password' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'flux_pod_session' },
      },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: 'the problem (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { type: 'string', enum: Object.keys(problemKinds).map((kind) => `/v1/problems#${kind}`) },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { where: { type: 'string' }, what: { type: 'string' } } },
    },
  },
};

function operationOf(route: Route) {
  const {
    method,
    path,
    params = {},
    role,
    tag,
    summary,
    description,
    query,
    headers,
    body,
    bodyOptional,
    answer,
    status = 200,
  } = route;
  const content =
    'mediaType' in answer
      ? { [answer.mediaType]: { schema: { type: 'string', description: answer.description } } }
      : { 'application/json': { schema: schemaOf(answer, 'output') } };
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[/{]+(\w)|[}.]/g, (_, letter = '') => letter.toUpperCase())}`,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(role === 'none' ? { security: [] } : { 'x-role': role }),
    parameters: [
      ...Object.entries(params).map(([name, { description }]) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
        description,
      })),
      ...(query ? parametersOf(query, 'query') : []),
      ...(headers ? parametersOf(headers, 'header') : []),
    ],
    ...(body && {
      requestBody: {
        description: `at most ${largestBodyOf(route)} bytes`,
        required: !bodyOptional,
        content: { 'application/json': { schema: schemaOf(body, 'input') } },
      },
    }),
    responses: {
      [status]: { description: 'done', content },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function parametersOf(parameters: z.ZodMiniType, where: 'query' | 'header') {
  const { properties = {}, required = [] } = schemaOf(parameters, 'input') as {
    properties?: Readonly<Record<string, JsonSchema>>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema,
    ...(description !== undefined && { description }),
  }));
}

function schemaOf(schema: z.ZodMiniType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
