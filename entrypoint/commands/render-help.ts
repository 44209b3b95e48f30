import { extras } from '../../agent/kubernetes/cluster.ts';

/** The flags of `flux-pod render`. */
export const renderFlags = {
  output: { type: 'string', short: 'o' },
  namespace: { type: 'string', short: 'n' },
  'image-installer': { type: 'string' },
  user: { type: 'string' },
  secret: { type: 'string' },
  certificate: { type: 'string' },
  'fresh-certificate': { type: 'boolean' },
  with: { type: 'string', multiple: true },
  without: { type: 'string', multiple: true },
} as const;

/** Extras that are there unless `--without` says otherwise. */
export const usualExtras = extras.filter((extra) => extra !== 'http-service');

export const renderHelp = (
  defaultInstaller: string,
): string => `flux-pod render FILE [FLAGS]: Kubernetes manifests from MiniClusters

  flux-pod render minicluster.yaml | kubectl apply -f -

FILE holds one or more MiniClusters of the Flux Operator (flux-framework.org/v1alpha2) as YAML or JSON; - is stdin. For each, an
Indexed Job with its Services, ConfigMap, Secret, NetworkPolicy and PodDisruptionBudgets goes to stdout. Every field is
honoured or named in a warning on stderr; unknown fields are errors.

  -o, --output yaml|json
      as what to write (default: yaml)
  -n, --namespace NAMESPACE
      where the objects go (default: the MiniCluster's metadata.namespace, else kubectl's)
  --image-installer IMAGE|none
      flux-pod's own image, whose init container copies flux-pod into the pods; none: the container's image has flux-pod on PATH
      (default: the MiniCluster's annotation flux-pod/image-installer, else ${defaultInstaller})
  --user UID[:GID]|image
      the user of containers that name none (default: 1000:1000, which the restricted Pod Security Standard admits); image: the
      image's own user, as with the Operator
  --secret NAME
      an existing Secret that holds the certificate as curve.cert, such as \`flux-pod keygen --secret NAME\` makes. Use it where the
      manifests are kept, or applied more than once: otherwise each rendering makes a new certificate, and Kubernetes refuses
      to put it in the place of the old one
  --certificate FILE
      the certificate for the Secret
  --fresh-certificate
      a new certificate even where the MiniCluster has one (flux.curveCert)
  --with WHAT, --without WHAT (again for more)
      ${extras.join(', ')} (default: all but http-service, a Service for the leader's port 8051)
`;
