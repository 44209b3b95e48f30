/** What is applied to install a controller of one MiniCluster beside it: a Role in its namespace, no ClusterRole. The CRD is custom-resource.ts. */
import { resources } from '../kubernetes/resources.ts';
import { appLabel, controllerName } from '../render/reserved/names.ts';
import {
  deployment,
  type Installed,
  type InstallValues,
  type PolicyRule,
  seedRule,
  watchedRules,
} from './manifests.ts';

export interface OneMiniCluster extends Pick<InstallValues, 'image'> {
  /** Of the MiniCluster and of its controller. */
  readonly namespace: string;
  readonly miniCluster: string;
}

export const controllerNameFor = (miniCluster: string): string => `${controllerName}-${miniCluster}`;

/** Of the MiniClusters this one alone; of what it owns, of which the names are not all known, those of the namespace. */
export const rulesForOne = (miniCluster: string): PolicyRule[] =>
  watchedRules.map((rule) =>
    rule.apiGroups[0] === resources.miniClusters.group ? { ...rule, resourceNames: [miniCluster] } : rule,
  );

export function manifestsForOne({ namespace, miniCluster, image }: OneMiniCluster): Installed[] {
  const name = controllerNameFor(miniCluster);
  // The NetworkPolicy of a MiniCluster lets in the pods with the first of them.
  const labels = {
    [appLabel]: controllerName,
    'app.kubernetes.io/instance': miniCluster,
    'app.kubernetes.io/managed-by': 'flux-pod',
  };
  const metadata = { name, labels, namespace };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      // One replica elects no leader.
      rules: [...rulesForOne(miniCluster), seedRule],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef,
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    deployment({
      ...{ name, labels, namespace, image, replicas: 1 },
      args: ['--namespace', namespace, '--minicluster', miniCluster],
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    }),
  ];
}
