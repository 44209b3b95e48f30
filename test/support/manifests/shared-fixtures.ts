import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';

/** Data of others that tests are held against; a checkout of the repository alone does not have it. */
const directory = '../shared/fixtures';

export const haveSharedFixtures = existsSync(`${directory}/minicluster-crd-v1alpha2.yaml`);
if (!haveSharedFixtures) {
  console.warn(
    `SKIPPED: the Operator's examples and Kubernetes' API definitions. They are not at ${directory}: put there minicluster-crd-v1alpha2.yaml and ` +
      'miniclusters/ of flux-framework/flux-operator, and api/openapi-spec/swagger.json of kubernetes/kubernetes 1.32 as ' +
      'kubernetes-1.32-swagger.json.gz, and run the tests again',
  );
}

/** The Operator's examples: name and text of each. */
export const operatorExamples = (): [name: string, text: string][] =>
  haveSharedFixtures
    ? readdirSync(`${directory}/miniclusters`).map((name) => [
        name,
        readFileSync(`${directory}/miniclusters/${name}`, 'utf8'),
      ])
    : [];

/** An OpenAPI schema, as far as CRDs and Kubernetes' own definitions use it. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly additionalProperties?: OpenApiSchema;
  readonly items?: OpenApiSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

/** The schema of `spec` in the MiniCluster's CRD. */
export function miniClusterSpecSchema(): OpenApiSchema {
  const crd = parse(readFileSync(`${directory}/minicluster-crd-v1alpha2.yaml`, 'utf8'));
  return crd.spec.versions[0].schema.openAPIV3Schema.properties.spec;
}

/** The definitions of the API of Kubernetes 1.32. */
export function kubernetesDefinitions(): Readonly<Record<string, OpenApiSchema>> {
  return JSON.parse(gunzipSync(readFileSync(`${directory}/kubernetes-1.32-swagger.json.gz`)).toString())
    .definitions;
}
