import { extras, rareExtras } from '../../controller/render/minicluster/cluster.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Flag } from './arguments.ts';

/** No registry: until the image is pushed to one, it is the cluster's own. */
export const defaultInstaller = `flux-pod-installer:${packageJson.version}`;

/** Extras that are rendered without `--without`. */
export const usualExtras = extras.filter((extra) => !rareExtras.includes(extra));

/** The flags of `flux-pod render`. */
export const renderFlags = {
  output: {
    type: 'string',
    short: 'o',
    value: 'yaml|json',
    choices: ['yaml', 'json'],
    meaning: 'the output format (default: yaml)',
  },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAMESPACE',
    meaning: "the namespace of the objects (default: the MiniCluster's metadata.namespace, else kubectl's)",
  },
  'image-installer': {
    type: 'string',
    value: 'IMAGE|none',
    meaning: `flux-pod's own image, whose init container copies flux-pod into the pods; none: the container's image has flux-pod on PATH
(default: the MiniCluster's annotation flux-pod/image-installer, else ${defaultInstaller})`,
  },
  'image-view': {
    type: 'string',
    value: 'IMAGE',
    meaning: `an image with a Flux view and flux-pod (target view of the Dockerfile), for MiniClusters that name no
flux.container.image: one init container brings both (default: the Operator's view, and the installer)`,
  },
  user: {
    type: 'string',
    value: 'UID[:GID]|image',
    meaning: `the user of containers that name none (default: 1000:1000, which the restricted Pod Security Standard admits); image: the
image's own user, as with the Operator`,
  },
  secret: {
    type: 'string',
    value: 'NAME',
    meaning: `an existing Secret that holds the certificate as curve.cert, such as \`flux-pod keygen --secret NAME\` makes. Use it where the
manifests are kept, or applied more than once: otherwise each rendering makes a new certificate, and Kubernetes refuses
to put it in the place of the old one`,
  },
  certificate: { type: 'string', value: 'FILE', meaning: 'the certificate for the Secret' },
  'fresh-certificate': {
    type: 'boolean',
    meaning: 'a new certificate even where the MiniCluster has one (flux.curveCert)',
  },
  with: {
    type: 'string',
    multiple: true,
    value: 'WHAT',
    choices: extras,
    meaning: `adds ${extras.join(', ')}; may be repeated`,
  },
  without: {
    type: 'string',
    multiple: true,
    value: 'WHAT',
    choices: extras,
    meaning: `leaves one out (default: all but http-service, a Service for the leader's port 8051, and image-volume, which mounts
flux-pod's image rather than copy it, where Kubernetes and the container runtime have image volumes)`,
  },
} as const satisfies Record<string, Flag>;
