import { kubernetesDefinitions, miniClusterSpecSchema, type OpenApiSchema } from './shared-fixtures.ts';

/**
 * Checks an object as strictly as `kubectl apply --validate=strict` does, and more: no unknown field, required fields there,
 * types right, against the definitions of Kubernetes' API. A `partial` object, such as a patch, may lack required fields.
 */
export function kubernetesValidator({ partial = false } = {}): (object: unknown) => string[] {
  const definitions = kubernetesDefinitions();
  const byKind = new Map(
    Object.values(definitions).flatMap((schema) =>
      (schema['x-kubernetes-group-version-kind'] ?? []).map(({ group, version, kind }) => [
        `${group === '' ? version : `${group}/${version}`} ${kind}`,
        schema,
      ]),
    ),
  );
  const check = checker(definitions, partial);
  return (object) => {
    const { apiVersion, kind } = object as { apiVersion: string; kind: string };
    const schema = byKind.get(`${apiVersion} ${kind}`);
    return schema ? check(object, schema, kind) : [`${apiVersion} ${kind}: no such kind`];
  };
}

/** The same for the `spec` of a MiniCluster, against the Operator's definition. */
export const miniClusterValidator = (): ((spec: unknown) => string[]) => {
  const check = checker({});
  const schema = miniClusterSpecSchema();
  return (spec) => check(spec, schema, 'spec');
};

/** What is wrong with a value, each with its path. */
function checker(definitions: Readonly<Record<string, OpenApiSchema>>, partial = false) {
  const resolve = (schema: OpenApiSchema): [OpenApiSchema, string] => {
    const name = schema.$ref?.replace('#/definitions/', '') ?? '';
    return [definitions[name] ?? schema, name];
  };

  function check(value: unknown, reference: OpenApiSchema, path: string): string[] {
    const [schema, name] = resolve(reference);
    const wrong = (expected: string) => [`${path}: expected ${expected}, not ${JSON.stringify(value)}`];
    if (value === undefined || value === null) return wrong('a value');
    if (schema.format === 'int-or-string') {
      return typeof value === 'string' || Number.isInteger(value) ? [] : wrong('an integer or text');
    }
    switch (schema.type) {
      case 'string':
        if (typeof value !== 'string') return wrong('text');
        if (schema.format === 'byte' && !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return wrong('base64');
        if (
          name.endsWith('resource.Quantity') &&
          !/^[+-]?[0-9.]+([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?$/.test(value)
        ) {
          return wrong('a quantity');
        }
        return [];
      case 'boolean':
        return typeof value === 'boolean' ? [] : wrong('true or false');
      case 'integer':
        return Number.isInteger(value) ? [] : wrong('an integer');
      case 'number':
        return typeof value === 'number' ? [] : wrong('a number');
      case 'array':
        if (!Array.isArray(value)) return wrong('a list');
        return value.flatMap((element, index) => check(element, schema.items ?? {}, `${path}[${index}]`));
      default:
        return checkObject(value, schema, path);
    }
  }

  function checkObject(value: unknown, schema: OpenApiSchema, path: string): string[] {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return [`${path}: expected an object`];
    const { properties = {}, additionalProperties, required = [] } = schema;
    const missing = (partial ? [] : required)
      .filter((key) => !(key in value))
      .map((key) => `${path}.${key}: is required`);
    const inner = Object.entries(value).flatMap(([key, element]) => {
      const property = Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
      return property ? check(element, property, `${path}.${key}`) : [`${path}.${key}: no such field`];
    });
    return [...missing, ...inner];
  }

  return check;
}
