/** The resources that the controller reads or writes, as the API server serves them. RBAC rules follow from `verbs`. */

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Resource {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly verbs: readonly Verb[];
}

const informed = ['list', 'watch'] as const;
/** Server-side apply needs `create` as well for what is missing (apiserver pkg/endpoints/handlers/patch.go, createAuthorizerAttributes). */
const applied = [...informed, 'get', 'create', 'patch'] as const;
const owned = [...applied, 'delete'] as const;
const resource = (
  [group, version]: readonly [string, string],
  plural: string,
  kind: string,
  verbs: readonly Verb[],
): Resource => ({ group, version, plural, kind, verbs });

const core = ['', 'v1'] as const;

export const resources = {
  miniClusters: resource(['flux-framework.org', 'v1alpha2'], 'miniclusters', 'MiniCluster', [
    ...informed,
    'delete',
  ]),
  jobs: resource(['batch', 'v1'], 'jobs', 'Job', owned),
  pods: resource(core, 'pods', 'Pod', informed),
  services: resource(core, 'services', 'Service', owned),
  configMaps: resource(core, 'configmaps', 'ConfigMap', owned),
  secrets: resource(core, 'secrets', 'Secret', owned),
  // Deleted with the MiniCluster only, by garbage collection: its data would be lost with a field.
  claims: resource(core, 'persistentvolumeclaims', 'PersistentVolumeClaim', applied),
  networkPolicies: resource(['networking.k8s.io', 'v1'], 'networkpolicies', 'NetworkPolicy', owned),
  disruptionBudgets: resource(['policy', 'v1'], 'poddisruptionbudgets', 'PodDisruptionBudget', owned),
  deployments: resource(['apps', 'v1'], 'deployments', 'Deployment', owned),
  events: resource(['events.k8s.io', 'v1'], 'events', 'Event', ['create', 'patch']),
  leases: resource(['coordination.k8s.io', 'v1'], 'leases', 'Lease', ['get', 'create', 'patch']),
} as const satisfies Record<string, Resource>;

/** The kinds that are rendered, and that a MiniCluster owns. */
export const ownedResources: readonly Resource[] = [
  resources.jobs,
  resources.services,
  resources.configMaps,
  resources.secrets,
  resources.claims,
  resources.networkPolicies,
  resources.disruptionBudgets,
  resources.deployments,
];

/** `batch/v1`, `v1`: an object's apiVersion. */
export const apiVersionOf = ({ group, version }: Resource): string =>
  group === '' ? version : `${group}/${version}`;

/** The resource of an object. Throws for a kind that the controller does not use. */
export function resourceOf({
  apiVersion,
  kind,
}: {
  readonly apiVersion: string;
  readonly kind: string;
}): Resource {
  const found = Object.values(resources).find(
    (each) => each.kind === kind && apiVersionOf(each) === apiVersion,
  );
  if (!found) throw new Error(`no resource of the controller: ${apiVersion} ${kind}`);
  return found;
}

/** The path of a collection, or of the object `name` and its `subresource`. Without a namespace: of all namespaces. */
export function pathOf(
  { group, version, plural }: Resource,
  { namespace = '', name, subresource }: { namespace?: string; name?: string; subresource?: string },
): string {
  return [
    group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
    ...(namespace === '' ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ].join('/');
}
