/**
 * The Helm chart: the objects of manifests.ts, made with marks in place of the values, and each mark replaced by its template. The templates
 * use little of the language: paths, `range`, `if`, and `toYaml` with `nindent`.
 */
import { stringify } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { customResourceDefinition } from './custom-resource.ts';
import { type Installed, manifests, usualImage, usualValues } from './manifests.ts';

/** In a `range` the dot is the element: `$` is the root everywhere. */
const watched = '{{ . }}';
const marked = {
  namespace: '{{ $.Release.Namespace }}',
  image: '{{ $.Values.image }}',
  viewImage: '{{ $.Values.viewImage }}',
  replicas: 2,
  resources: { mark: 'resources' },
};
const severalReplicas = 'gt (int $.Values.replicas) 1';

/** The files of the chart by their paths. */
export function chartFiles(): Readonly<Record<string, string>> {
  const { version } = packageJson;
  const chart = {
    apiVersion: 'v2',
    name: 'flux-pod-controller',
    description: 'The controller of MiniClusters (flux-framework.org/v1alpha2)',
    type: 'application',
    version,
    appVersion: version,
    // Native sidecars.
    kubeVersion: '>=1.29.0-0',
  };
  return {
    'Chart.yaml': yaml(chart),
    'values.yaml': values(),
    // Helm installs what is here, and neither upgrades nor deletes it.
    'crds/miniclusters.yaml': yaml(customResourceDefinition()),
    'templates/controller.yaml': template(),
  };
}

const yaml = (value: object): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
const documents = (objects: readonly Installed[]): string =>
  objects.map((object) => `---\n${yaml(object)}`).join('');

const values = (): string =>
  [
    '# The image of flux-pod’s installer, which the rendered pods use as well. No registry has it: put it into yours.\n',
    yaml({ image: usualImage }),
    '# An image with a Flux view and flux-pod, for MiniClusters that name no image of a view. None: the view of the Flux Operator.\n',
    yaml({ viewImage: usualValues.viewImage }),
    '# The namespaces that are watched, with a Role in each. None: all namespaces, with a ClusterRole.\n',
    yaml({ namespaces: usualValues.watchedNamespaces ?? [] }),
    '# With more than one the replicas elect a leader.\n',
    yaml({ replicas: usualValues.replicas }),
    yaml({ resources: usualValues.resources }),
  ].join('');

function template(): string {
  const everywhere = manifests({ ...marked, watchedNamespaces: undefined });
  const named = manifests({ ...marked, watchedNamespaces: [watched] });
  const isWatched = ({ metadata }: Installed) => metadata.namespace === watched;
  // The namespace is the release's: `helm install --create-namespace` makes it.
  const common = named.filter((object) => !isWatched(object) && object.kind !== 'Namespace');
  return [
    documents(common.filter(({ kind }) => kind !== 'Deployment')),
    '{{- if $.Values.namespaces }}\n{{- range $.Values.namespaces }}\n',
    documents(named.filter(isWatched)),
    '{{- end }}\n{{- else }}\n',
    documents(everywhere.filter(({ kind }) => kind.startsWith('ClusterRole'))),
    '{{- end }}\n',
    withTemplates(documents(common.filter(({ kind }) => kind === 'Deployment'))),
  ].join('');
}

/** The lines of the Deployment that depend on the values, and the templates for them. */
const replacements: readonly (readonly [found: RegExp, by: string])[] = [
  [/^( *)replicas: 2\n/m, '$1replicas: {{ $.Values.replicas }}\n'],
  [
    /^( *)type: RollingUpdate\n/m,
    `$1type: {{ if ${severalReplicas} }}RollingUpdate{{ else }}Recreate{{ end }}\n`,
  ],
  [/^ *- --image-view\n.*\n/m, '{{- if $.Values.viewImage }}\n$&{{- end }}\n'],
  [/^ *- --leader-election\n/m, `{{- if ${severalReplicas} }}\n$&{{- end }}\n`],
  [/^ *- --namespace\n *- "\{\{ \. \}\}"\n/m, '{{- range $.Values.namespaces }}\n$&{{- end }}\n'],
  [/^( *)resources:\n *mark: resources\n/m, '$1resources: {{- toYaml $.Values.resources | nindent 12 }}\n'],
];

const withTemplates = (text: string): string =>
  replacements.reduce((before, [found, by]) => {
    const after = before.replace(found, by);
    if (after === before) throw new Error(`the Deployment has no line ${found}`);
    return after;
  }, text);
