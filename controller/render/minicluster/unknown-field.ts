/** Why a field is refused that a MiniCluster does not have: what replaces it, or which one was meant. Data in, data out. */
import { didYouMean } from '../../../agent/suggestion.ts';
import { miniClusterSchema } from './schema.ts';

/**
 * What has become of fields of flux-framework.org/v1alpha1 and of the first v1alpha2: the history of api/ in flux-framework/flux-operator.
 * Paths without the places of lists; `*` is any key, or any list of containers.
 */
const olderFields: Readonly<Record<string, string>> = {
  'spec.volumes': 'each container has the volumes that it mounts, in spec.containers[].volumes',
  'spec.*.existingVolumes':
    'write them into `volumes` of the same container: claimName, configMapName and secretName are the same there',
  ...Object.fromEntries(
    ['attributes', 'driver', 'secret', 'secretNamespace', 'volumeHandle'].map((field) => [
      `spec.*.volumes.*.${field}`,
      'csiDriver and csiDriverAttributes name a CSI driver',
    ]),
  ),
  ...Object.fromEntries(
    ['annotations', 'capacity', 'claimAnnotations', 'delete', 'labels', 'storageClass'].map((field) => [
      `spec.*.volumes.*.${field}`,
      'make a PersistentVolumeClaim, and name it in claimName',
    ]),
  ),
  'spec.*.volumes.*.readonly': 'it is readOnly',
  'spec.*.securityContext.addCapabilities': 'it is capabilities: {add: [...]}',
  'spec.*.cores': 'resources.limits.cpu bounds the cores',
  'spec.*.diagnostics': 'run what you want to know by command, such as `flux overlay status`',
  'spec.*.fluxUser': 'it is securityContext.runAsUser',
  'spec.*.fluxLogLevel': 'it is spec.flux.logLevel',
  'spec.*.fluxOptionFlags': 'it is spec.flux.optionFlags',
  'spec.*.preCommand': 'it is commands.pre',
  'spec.*.postStartExec': 'it is lifeCycle.postStartExec',
  'spec.*.commands.runFluxAsRoot': 'it is securityContext: {runAsUser: 0}',
  'spec.users': 'the instance has one owner',
  'spec.fluxRestful': 'flux-pod has a REST API of its own: FLUX_POD_API',
  'spec.flux.curveCertSecret': '`flux-pod render --secret NAME` takes an existing Secret',
  'spec.flux.installRoot': 'the view of spec.flux.container, or FLUX_POD_FLUX, says where Flux is',
  'spec.flux.container.cores': 'it is spec.flux.container.resources',
  ...Object.fromEntries(
    ['command', 'image', 'imagePullSecret', 'pullAlways', 'workingDir'].map((field) => [
      `spec.${field}`,
      `it is spec.containers[].${field}`,
    ]),
  ),
  'spec.cores': 'resources.limits.cpu of a container bounds the cores',
  'spec.diagnostics': 'run what you want to know by command, such as `flux overlay status`',
  'spec.podLabels': 'it is spec.pod.labels',
  'spec.test': 'it is spec.logging.quiet',
  'spec.localDeploy': 'a volume names its hostPath',
  'spec.sleeptime': 'nothing replaces it',
};

const patterns = Object.entries(olderFields).map(([path, replacement]) => {
  const parts = path.split('.').map((part) => (part === '*' ? '[^.]+' : part));
  return [new RegExp(`^${parts.join('\\.')}$`), replacement] as const;
});

/** `path` leads to the field, which is the last of it. */
export function whyUnknown(path: readonly PropertyKey[]): string {
  const name = path.filter((part) => typeof part !== 'number').join('.');
  const [, replacement] = patterns.find(([pattern]) => pattern.test(name)) ?? [];
  const text = 'a MiniCluster has no such field';
  if (replacement !== undefined) return `${text} any more: ${replacement}`;
  return `${text}${didYouMean(String(path.at(-1)), fieldsAt(path.slice(0, -1)))}`;
}

/** The parts of a schema that lead further down (zod's own definitions). */
interface Definition {
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly innerType?: Schema;
  readonly element?: Schema;
  readonly valueType?: Schema;
}
interface Schema {
  readonly _zod: { readonly def: Definition };
}

/** The names of the fields that there are at `path`. */
function fieldsAt(path: readonly PropertyKey[]): string[] {
  const at = path.reduce<Definition | undefined>(
    (definition, part) => {
      const below = definition?.shape?.[String(part)] ?? definition?.element ?? definition?.valueType;
      return below && whole(below);
    },
    whole(miniClusterSchema as Schema),
  );
  return Object.keys(at?.shape ?? {});
}

/** A schema's definition without what makes it optional. */
function whole(schema: Schema): Definition {
  const { def } = schema._zod;
  return def.innerType ? whole(def.innerType) : def;
}
