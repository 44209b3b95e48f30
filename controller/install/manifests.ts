/** What is applied to install the controller: namespace, account, roles, Deployment. The CRD is custom-resource.ts. */
import packageJson from '../../package.json' with { type: 'json' };
import { type Resource, resources, type Verb } from '../kubernetes/resources.ts';
import { appLabel, controllerName } from '../render/reserved/names.ts';

export interface InstallValues {
  readonly namespace: string;
  /** The installer's image, which the rendered pods use as well. */
  readonly image: string;
  /** An image with a Flux view and flux-pod (`--image-view`); empty for none. */
  readonly viewImage: string;
  readonly replicas: number;
  /** Undefined: all namespaces, by a ClusterRole. Else a Role in each of them. */
  readonly watchedNamespaces: readonly string[] | undefined;
  readonly resources: object;
}

export const usualImage = `flux-pod-installer:${packageJson.version}`;

export const usualValues: Omit<InstallValues, 'image'> = {
  namespace: 'flux-pod-system',
  viewImage: '',
  replicas: 1,
  watchedNamespaces: undefined,
  resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
};

const name = controllerName;
const labels = { [appLabel]: name, 'app.kubernetes.io/managed-by': 'flux-pod' };
const httpPort = 8053;

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly Verb[];
}

const rule = ({ group, plural }: Resource, verbs: readonly Verb[], subresource = ''): PolicyRule => ({
  apiGroups: [group],
  resources: [`${plural}${subresource}`],
  verbs,
});

/** In the namespaces that are watched: what is used, and no more (a test compares it with the requests). */
export const watchedRules: readonly PolicyRule[] = [
  ...Object.values(resources)
    .filter((resource) => resource !== resources.leases)
    .map((resource) => rule(resource, resource.verbs)),
  rule(resources.miniClusters, ['patch'], '/status'),
  // Whose owner reference has blockOwnerDeletion: where the admission plugin OwnerReferencesPermissionEnforcement is on, as in OpenShift.
  rule(resources.miniClusters, ['update'], '/finalizers'),
];

/** In the controller's own namespace: the seed of certificates. */
export const seedRule = rule(resources.secrets, ['get', 'create']);
/** With the lease of leader election. */
export const ownRules: readonly PolicyRule[] = [rule(resources.leases, resources.leases.verbs), seedRule];

/** An object that is applied to install the controller. */
export interface Installed {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: object };
  readonly [field: string]: unknown;
}

export function manifests(values: InstallValues): Installed[] {
  const { namespace, watchedNamespaces } = values;
  const metadata = (more: object = {}) => ({ name, labels, ...more });
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const bind = (kind: 'ClusterRole' | 'Role', place: object) => {
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name };
    return [
      { apiVersion, kind, metadata: metadata(place), rules: watchedRules },
      { apiVersion, kind: `${kind}Binding`, metadata: metadata(place), roleRef, subjects },
    ];
  };
  const own = { name: `${name}-own`, labels, namespace };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata({ namespace }) },
    ...(watchedNamespaces === undefined
      ? bind('ClusterRole', {})
      : watchedNamespaces.flatMap((watched) => bind('Role', { namespace: watched }))),
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: own, rules: ownRules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: own,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: own.name },
      subjects,
    },
    deployment({ ...values, name, labels, args: argsOf(values) }),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: metadata({ namespace }),
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
  ];
}

const argsOf = ({ viewImage, watchedNamespaces = [], replicas }: InstallValues): string[] => [
  ...(viewImage === '' ? [] : ['--image-view', viewImage]),
  ...watchedNamespaces.flatMap((watched) => ['--namespace', watched]),
  // One replica alone has no one to agree with, and then an idle controller makes no request.
  ...(replicas > 1 ? ['--leader-election'] : []),
];

export interface DeploymentValues
  extends Pick<InstallValues, 'namespace' | 'image' | 'replicas' | 'resources'> {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of `flux-pod controller`, beside the image. */
  readonly args: readonly string[];
}

export function deployment(values: DeploymentValues): Installed {
  const { name, labels, namespace, image, replicas, args, resources: needs } = values;
  const probe = (path: string) => ({ httpGet: { path, port: 'http' }, timeoutSeconds: 5 });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'controller',
              image,
              imagePullPolicy: 'IfNotPresent',
              command: ['flux-pod', 'controller'],
              args: ['--image-installer', image, ...args],
              ports: [{ name: 'http', containerPort: httpPort }],
              livenessProbe: probe('/healthz'),
              readinessProbe: probe('/readyz'),
              resources: needs,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
      // Two controllers without leader election must not work side by side.
      strategy: replicas > 1 ? { type: 'RollingUpdate' } : { type: 'Recreate' },
    },
  };
}
