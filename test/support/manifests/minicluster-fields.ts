/** What `flux-pod render` makes of each field of the MiniCluster's definition, given a value that suits the field. */
import { readMiniCluster } from '../../../controller/render/minicluster/read-minicluster.ts';
import { renderMiniCluster, type Warning } from '../../../controller/render/render-minicluster.ts';
import { byFluxKeygen } from '../agent/certificates.ts';
import { usualOptions } from './miniclusters.ts';
import type { OpenApiSchema } from './shared-fixtures.ts';

type Value = Record<string, unknown>;

/** Values of fields that not every text or number is right for, by the end of the field's path. */
const samples: Readonly<Record<string, unknown>> = {
  '.imagePullPolicy': 'Never',
  '.restartPolicy': 'OnFailure',
  '.dnsPolicy': 'Default',
  '.operator': 'Exists',
  '.effect': 'NoSchedule',
  '.procMount': 'Unmasked',
  '.seccompProfile.type': 'Localhost',
  '.fsGroupChangePolicy': 'Always',
  '.topology': 'kary:2',
  '.curveCert': byFluxKeygen,
  '.brokerConfig': '[tbon]\nzmq_io_threads = 2\n',
  '.emptyDirMedium': 'memory',
  '.emptyDirSizeLimit': '1Gi',
  '.minSize': 2,
  '.maxSize': 8,
  '.leadBroker.size': 5,
  '.size': 3,
  '.logLevel': 7,
  '.ports[]': 8080,
  '.path': '/sample',
  '.hostPath': '/sample',
  '.logs': '/sample',
  '.mountPath': '/sample',
  '.connectTimeout': '9s',
  '.workingDir': '/sample',
  '.bursting.hostlist': 'mc-[0-3],x-0',
  '.leadBroker.name': 'mc',
};

/** What must stand beside a field for it to mean anything, by the end of its path: fields of the object that it, or its map, is in. */
const company: Readonly<Record<string, Value>> = {
  '.volumes.*.path': { claimName: 'c' },
  '.volumes.*.readOnly': { claimName: 'c', path: '/v' },
  '.volumes.*.items.*': { configMapName: 'c', path: '/v' },
  '.volumes.*.emptyDirMedium': { emptyDir: true },
  '.volumes.*.emptyDirSizeLimit': { emptyDir: true },
  '.volumes.*.csiDriverAttributes.*': { csiDriver: 'd', path: '/v' },
  '.volumes.*.hostPath': { path: '/v' },
  '.volumes.*.claimName': { path: '/v' },
  '.volumes.*.configMapName': { path: '/v' },
  '.volumes.*.secretName': { path: '/v' },
  '.volumes.*.csiDriver': { path: '/v' },
  '.secrets.*.name': { key: 'k' },
  '.secrets.*.key': { name: 'n' },
  '.leadBroker.address': { name: 'mc', size: 4 },
  '.leadBroker.name': { address: '10.0.0.1', size: 4 },
  '.leadBroker.size': { address: '10.0.0.1', name: 'mc' },
  '.leadBroker.port': { address: '10.0.0.1', name: 'mc', size: 4 },
  '.sysctls[].name': { value: 'v' },
  '.sysctls[].value': { name: 'n' },
  '.localhostProfile': { type: 'Localhost' },
  '.batchRaw': { batch: true },
};

const endsWith = <T>(table: Readonly<Record<string, T>>, path: string): T | undefined =>
  table[Object.keys(table).find((end) => path.endsWith(end)) ?? ''];

/** Every leaf of the schema of `spec`: `.containers[].volumes.*.path`. */
export function leaves(schema: OpenApiSchema, path = ''): [string, OpenApiSchema][] {
  const inner = [
    ...Object.entries(schema.properties ?? {}).map(
      ([key, property]) => [`${path}.${key}`, property] as const,
    ),
    ...(schema.items ? [[`${path}[]`, schema.items] as const] : []),
    ...(schema.additionalProperties ? [[`${path}.*`, schema.additionalProperties] as const] : []),
  ];
  return inner.length === 0
    ? [[path, schema]]
    : inner.flatMap(([below, property]) => leaves(property, below));
}

function sampleOf(path: string, schema: OpenApiSchema): unknown {
  const sample = endsWith(samples, path);
  if (sample !== undefined && !/\.pod\.resources|\.items/.test(path)) return sample;
  if (schema['x-kubernetes-int-or-string']) return '2';
  if (schema.type === 'boolean') return true;
  return schema.type === 'integer' ? 4 : 'sample';
}

/** A MiniCluster in which every object that a field could be in is there. */
const base = (): Value => ({
  size: 4,
  containers: [
    { image: 'ubuntu:noble', command: 'hostname', runFlux: true },
    { image: 'ubuntu:noble', name: 'beside' },
  ],
  services: [{ image: 'nginx', name: 'service' }],
});

/** Sets the field at `path` (below the element `at` of lists that the base has) and its company. */
function withField(path: string, value: unknown, at: number): Value {
  const spec = structuredClone(base());
  const parts = path.slice(1).replaceAll('[]', '.[]').split('.');
  let parent: Value | unknown[] = spec;
  let holder: Value | unknown[] = spec;
  for (const [depth, part] of parts.slice(0, -1).entries()) {
    const key = part === '[]' ? (depth === 1 ? at : 0) : part === '*' ? 'x' : part;
    const next = parts[depth + 1] === '[]' ? [] : {};
    const within = parent as Record<string | number, Value | unknown[]>;
    within[key] ??= next;
    holder = parent;
    parent = within[key] as Value;
  }
  const last = parts.at(-1) ?? '';
  if (Array.isArray(parent)) parent.push(value);
  else {
    Object.assign(last === '*' ? holder : parent, endsWith(company, path));
    Object.assign(parent, { [last === '*' ? 'x' : last]: value });
  }
  return spec;
}

/** What became of a field: the output changed, warnings name it, or the MiniCluster is refused for it. */
export interface Effect {
  readonly changed: boolean;
  readonly warnings: readonly Warning[];
  readonly refusal: string | undefined;
}

/** Renders a MiniCluster with the field, in the element `at` of its list, and one without it. */
export function effectOf(path: string, schema: OpenApiSchema, at: number): Effect {
  const named = placeOf(path, at);
  const before = rendered(withoutField(path, at));
  const after = rendered(withField(path, sampleOf(path, schema), at));
  if ('refusal' in after) return { changed: false, warnings: [], refusal: after.refusal };
  return {
    changed: !('output' in before) || after.output !== before.output,
    warnings: after.warnings.filter((warning) => isAbout(warning.path, named)),
    refusal: undefined,
  };
}

/** Where a field stands, as messages name it: `spec.containers[1].environment.x`. */
export const placeOf = (path: string, at: number): string =>
  `spec${path}`
    .replace(/^spec\.(containers|services)\[\]/, `spec.$1[${at}]`)
    .replaceAll('.*', '.x')
    .replaceAll('[]', '[0]');

/** A warning about the field, or about the group of fields that it is in; not one about a whole container or pod. */
const isAbout = (warning: string, named: string): boolean =>
  warning === named || (named.startsWith(`${warning}.`) && !/^spec$|^spec\.\w+\[\d\]$/.test(warning));

function rendered(spec: Value): { output: string; warnings: readonly Warning[] } | { refusal: string } {
  const object = {
    apiVersion: 'flux-framework.org/v1alpha2',
    kind: 'MiniCluster',
    metadata: { name: 'mc' },
    spec,
  };
  try {
    const { manifests, warnings } = renderMiniCluster(readMiniCluster(object), usualOptions);
    return { output: JSON.stringify(manifests), warnings };
  } catch (error) {
    return { refusal: String(error) };
  }
}

/** The same MiniCluster with the field's company, but without the field. */
function withoutField(path: string, at: number): Value {
  const marker = Symbol('nothing') as unknown;
  const spec = withField(path, marker, at);
  const prune = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.filter((inner) => inner !== marker).map(prune);
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([, inner]) => inner !== marker);
    return Object.fromEntries(kept.map(([key, inner]) => [key, prune(inner)]));
  };
  return prune(spec) as Value;
}
