/** Fields of a MiniCluster that are Kubernetes' own: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
import * as z from 'zod/mini';
import { fields, flag, id, list, map, oneOf, quantity, text } from './field-kinds.ts';

const seLinuxOptions = z.optional(
  fields({
    level: z.optional(text),
    role: z.optional(text),
    type: z.optional(text),
    user: z.optional(text),
  }),
);

const seccompProfile = z.optional(
  fields({
    type: oneOf('Localhost', 'RuntimeDefault', 'Unconfined'),
    localhostProfile: z.optional(text),
  }),
);

const windowsOptions = z.optional(
  fields({
    gmsaCredentialSpec: z.optional(text),
    gmsaCredentialSpecName: z.optional(text),
    hostProcess: z.optional(flag),
    runAsUserName: z.optional(text),
  }),
);

export const containerSecurityContext = z.optional(
  fields({
    allowPrivilegeEscalation: z.optional(flag),
    capabilities: z.optional(fields({ add: list(text), drop: list(text) })),
    privileged: z.optional(flag),
    procMount: z.optional(oneOf('Default', 'Unmasked')),
    readOnlyRootFilesystem: z.optional(flag),
    runAsGroup: z.optional(id),
    runAsNonRoot: z.optional(flag),
    runAsUser: z.optional(id),
    seLinuxOptions,
    seccompProfile,
    windowsOptions,
  }),
);

export const podSecurityContext = z.optional(
  fields({
    fsGroup: z.optional(id),
    fsGroupChangePolicy: z.optional(oneOf('OnRootMismatch', 'Always')),
    runAsGroup: z.optional(id),
    runAsNonRoot: z.optional(flag),
    runAsUser: z.optional(id),
    seLinuxOptions,
    seccompProfile,
    supplementalGroups: list(id),
    sysctls: list(fields({ name: text, value: text })),
    windowsOptions,
  }),
);

export const containerResources = z.optional(fields({ limits: map(quantity), requests: map(quantity) }));

export const toleration = fields({
  key: z.optional(text),
  operator: z.optional(oneOf('Equal', 'Exists')),
  value: z.optional(text),
  effect: z.optional(oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute')),
});
