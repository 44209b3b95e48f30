/**
 * The MiniCluster of the Flux Operator, flux-framework.org/v1alpha2: every field of its custom resource definition
 * (api/v1alpha2/minicluster_types.go in flux-framework/flux-operator), and few of our own.
 */
import * as z from 'zod/mini';
import {
  absolutePath,
  fields,
  flag,
  label,
  list,
  map,
  objectName,
  oneOf,
  pathList,
  port,
  quantity,
  storageClass,
  text,
  wholeNumber,
} from './field-kinds.ts';
import {
  containerResources,
  containerSecurityContext,
  podSecurityContext,
  toleration,
} from './pod-fields.ts';

const volume = fields({
  path: z.optional(absolutePath),
  hostPath: z.optional(absolutePath),
  configMapName: z.optional(objectName),
  items: map(text),
  claimName: z.optional(objectName),
  secretName: z.optional(objectName),
  readOnly: z.optional(flag),
  emptyDir: z.optional(flag),
  emptyDirMedium: z.optional(text),
  emptyDirSizeLimit: z.optional(quantity),
  csiDriver: z.optional(text),
  csiDriverAttributes: map(text),
});

const commands = fields({
  prefix: z.optional(text),
  script: z.optional(text),
  init: z.optional(text),
  pre: z.optional(text),
  post: z.optional(text),
  workerPre: z.optional(text),
  brokerPre: z.optional(text),
  servicePre: z.optional(text),
});

const container = fields({
  name: z.optional(label),
  image: z.optional(text),
  imagePullPolicy: z.optional(oneOf('Always', 'IfNotPresent', 'Never')),
  imagePullSecret: z.optional(objectName),
  pullAlways: z.optional(flag),
  workingDir: z.optional(text),
  command: z.optional(text),
  commands: z.optional(commands),
  runFlux: z.optional(flag),
  launcher: z.optional(flag),
  batch: z.optional(flag),
  batchRaw: z.optional(flag),
  logs: z.optional(absolutePath),
  noWrapEntrypoint: z.optional(flag),
  ports: list(port),
  environment: map(text),
  secrets: map(fields({ name: objectName, key: text })),
  volumes: map(volume),
  lifeCycle: z.optional(fields({ postStartExec: z.optional(text), preStopExec: z.optional(text) })),
  resources: containerResources,
  securityContext: containerSecurityContext,
});

const view = fields({
  disable: z.optional(flag),
  name: z.optional(label),
  image: z.optional(text),
  imagePullSecret: z.optional(objectName),
  pullAlways: z.optional(flag),
  workingDir: z.optional(text),
  pythonPath: z.optional(pathList),
  mountPath: z.optional(absolutePath),
  resources: containerResources,
  securityContext: containerSecurityContext,
});

const flux = fields({
  container: z.optional(view),
  arch: z.optional(text),
  submitCommand: z.optional(text),
  wrap: z.optional(text),
  connectTimeout: z.optional(text),
  optionFlags: z.optional(text),
  minimalService: z.optional(flag),
  disableSocket: z.optional(flag),
  topology: z.optional(text),
  noWaitSocket: z.optional(flag),
  completeWorkers: z.optional(flag),
  logLevel: z.optional(wholeNumber(0, 7)),
  curveCert: z.optional(text),
  scheduler: z.optional(fields({ simple: z.optional(flag), queuePolicy: z.optional(text) })),
  mungeSecret: z.optional(objectName),
  bursting: z.optional(
    fields({
      leadBroker: z.optional(
        fields({ address: text, name: label, size: wholeNumber(1), port: z.optional(port) }),
      ),
      hostlist: z.optional(text),
      clusters: list(fields({ name: z.optional(label), size: z.optional(wholeNumber(1)) })),
    }),
  ),
  brokerConfig: z.optional(text),
  // Ours, not of the Operator's CRD: a claim for Flux's statedir.
  stateVolume: z.optional(
    fields({
      size: quantity,
      storageClassName: z.optional(storageClass),
      accessMode: z.optional(oneOf('ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany')),
    }),
  ),
  environment: map(text),
});

const pod = fields({
  annotations: map(text),
  labels: map(text),
  // Always is not for Jobs.
  restartPolicy: z.optional(oneOf('Never', 'OnFailure')),
  serviceAccountName: z.optional(objectName),
  runtimeClassName: z.optional(objectName),
  automountServiceAccountToken: z.optional(flag),
  schedulerName: z.optional(text),
  nodeSelector: map(text),
  nodeAffinity: map(z.array(text, { error: 'a list' })),
  tolerations: list(toleration),
  // None would need a dnsConfig, for which the MiniCluster has no field.
  dnsPolicy: z.optional(oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default')),
  hostIPC: z.optional(flag),
  hostPID: z.optional(flag),
  resources: map(quantity),
  securityContext: podSecurityContext,
});

const spec = fields({
  containers: z.array(container, { error: 'a list of containers' }),
  services: list(container),
  network: z.optional(fields({ headlessName: z.optional(label), disableAffinity: z.optional(flag) })),
  jobLabels: map(text),
  interactive: z.optional(flag),
  flux: z.optional(flux),
  logging: z.optional(
    fields({
      quiet: z.optional(flag),
      strict: z.optional(flag),
      debug: z.optional(flag),
      zeromq: z.optional(flag),
      timed: z.optional(flag),
    }),
  ),
  archive: z.optional(fields({ path: z.optional(absolutePath) })),
  shareProcessNamespace: z.optional(flag),
  cleanup: z.optional(flag),
  // Ours, not of the Operator's CRD: as in a Job.
  suspend: z.optional(flag),
  ttlSecondsAfterFinished: z.optional(wholeNumber(0)),
  // The CRD takes 1 where it is missing. A forgotten size is likelier than a cluster of one, so it has to be said.
  size: wholeNumber(1, 100_000),
  // Ours, not of the Operator's CRD: the size follows the demand.
  autoscaling: z.optional(fields({ stabilizationWindowSeconds: z.optional(wholeNumber(10, 3600)) })),
  // Ours: seconds without an active job.
  /** A report of the leader counts up to 5 s late (leader-link/leaders.ts). */
  idleTimeout: z.optional(wholeNumber(10)),
  maxSize: z.optional(wholeNumber(1, 100_000)),
  minSize: z.optional(wholeNumber(1, 100_000)),
  tasks: z.optional(wholeNumber(0)),
  backoffLimit: z.optional(wholeNumber(0)),
  deadlineSeconds: z.optional(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  pod: z.optional(pod),
});

/** What a person writes into metadata; the rest is the API server's. */
const metadata = z.looseObject(
  {
    name: z.string({ error: "the cluster's name" }),
    namespace: z.optional(label),
    labels: map(text),
    annotations: map(text),
  },
  { error: 'a mapping' },
);

export const miniClusterSchema = fields({
  apiVersion: z.literal('flux-framework.org/v1alpha2', { error: '"flux-framework.org/v1alpha2"' }),
  kind: z.literal('MiniCluster', { error: '"MiniCluster"' }),
  metadata,
  spec,
  status: z.optional(z.unknown()),
});

/** What zod yields, as the Kubernetes types know it: a field that is not there is never undefined. */
type Exact<T> = T extends readonly (infer Element)[]
  ? Exact<Element>[]
  : T extends object
    ? { [Key in keyof T]: Exact<Exclude<T[Key], undefined>> }
    : T;

export type MiniCluster = Exact<z.output<typeof miniClusterSchema>>;
export type MiniClusterSpec = MiniCluster['spec'];
export type MiniClusterContainer = MiniClusterSpec['containers'][number];
export type MiniClusterVolume = NonNullable<MiniClusterContainer['volumes']>[string];
