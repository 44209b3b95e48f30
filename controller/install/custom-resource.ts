/**
 * The CustomResourceDefinition of MiniClusters: the fields are those that `render` reads, from the same schema. A superset of the
 * Operator's v1alpha2 (config/crd/bases in flux-framework/flux-operator).
 */
import * as z from 'zod';
import { miniClusterSchema } from '../render/minicluster/schema.ts';
import { statusSchema } from './status-schema.ts';
import type { Rule, StructuralSchema } from './structural-schema.ts';

/** What the API server refuses at once. Everything else that is wrong is in the condition Valid. */
const specRules: readonly Rule[] = [
  {
    rule: '!has(self.minSize) || !has(self.maxSize) || self.minSize <= self.maxSize',
    message: 'minSize: expected at most maxSize',
  },
  {
    // Whatever a client of the scale subresource writes into size.
    rule: '!has(self.autoscaling) || (has(self.minSize) && has(self.maxSize) && self.minSize < self.maxSize)',
    message: 'autoscaling: needs minSize and maxSize, and room between them',
  },
  {
    rule: 'self.containers.size() == 1 || self.containers.exists_one(c, has(c.runFlux) && c.runFlux)',
    message: 'containers: expected one container, or exactly one of several with runFlux: true',
  },
];

/** Pods are NAME-INDEX, and hostnames end at 63 characters (RFC 1123). */
const nameRules: readonly Rule[] = [
  {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'metadata.name: expected a DNS label that begins with a letter (a-z, 0-9 and inner hyphens)',
  },
  { rule: 'size(self.metadata.name) <= 54', message: 'metadata.name: expected at most 54 characters' },
];

export function customResourceDefinition() {
  const { properties = {} } = structural(
    z.toJSONSchema(miniClusterSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema,
  );
  const { spec = {} } = properties;
  const containers = { ...spec.properties?.containers, maxItems: 64 };
  const column = (name: string, type: string, jsonPath: string, more: object = {}) => ({
    name,
    type,
    jsonPath,
    ...more,
  });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'miniclusters.flux-framework.org' },
    spec: {
      group: 'flux-framework.org',
      scope: 'Namespaced',
      names: {
        kind: 'MiniCluster',
        listKind: 'MiniClusterList',
        plural: 'miniclusters',
        singular: 'minicluster',
        shortNames: ['mc'],
        categories: ['all'],
      },
      versions: [
        {
          name: 'v1alpha2',
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.size',
              statusReplicasPath: '.status.size',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            column('Size', 'integer', '.status.size'),
            column('Online', 'integer', '.status.brokersOnline'),
            column('Status', 'string', '.status.state'),
            column('Exit', 'integer', '.status.exitCode'),
            column('Age', 'date', '.metadata.creationTimestamp'),
            column('Wanted', 'integer', '.status.demand.wanted', { priority: 1 }),
            column('Message', 'string', '.status.message', { priority: 1 }),
          ],
          schema: {
            openAPIV3Schema: {
              description: 'A MiniCluster: one Flux instance of an Indexed Job’s pods.',
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: {
                  ...spec,
                  properties: { ...spec.properties, containers },
                  'x-kubernetes-validations': specRules,
                },
                status: statusSchema,
              },
              'x-kubernetes-validations': nameRules,
            } satisfies StructuralSchema,
          },
        },
      ],
    },
  };
}

/** What zod writes (JSON Schema 2020-12). */
interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
}

/** The structural schema of a JSON schema. Unknown fields are not forbidden: the API server prunes them, and kubectl warns of them. */
function structural(schema: JsonSchema): StructuralSchema {
  if (schema.anyOf) return { 'x-kubernetes-int-or-string': true };
  const { type, properties, required, items, additionalProperties, minimum, maximum, pattern } = schema;
  if (type === undefined && properties === undefined && schema.const === undefined)
    return { 'x-kubernetes-preserve-unknown-fields': true };
  const values = schema.const === undefined ? schema.enum : [schema.const];
  const below = (fields: Readonly<Record<string, JsonSchema>>) =>
    Object.fromEntries(Object.entries(fields).map(([name, inner]) => [name, structural(inner)]));
  return {
    ...(type !== undefined && { type }),
    ...(type === 'integer' && { format: (maximum ?? 0) > 2 ** 31 - 1 ? 'int64' : 'int32' }),
    ...(properties && { properties: below(properties) }),
    ...(required && required.length > 0 && { required }),
    ...(items && { items: structural(items) }),
    ...(typeof additionalProperties === 'object' &&
      !properties && { additionalProperties: structural(additionalProperties) }),
    ...(values && { enum: values }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(pattern !== undefined && isPortable(pattern) && { pattern }),
  };
}

/** Go's regular expressions (RE2) have other escapes: what is not plain is left to the condition Valid. */
const isPortable = (pattern: string): boolean => !/\\[pP0]|\(\?[=!<]/.test(pattern);
