import type { PodSecurityContext, SecurityContext } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import type { MiniClusterContainer } from '../minicluster/schema.ts';

/**
 * What the `restricted` Pod Security Standard requires of a pod, and what the MiniCluster sets of it, which wins.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function podSecurity({ spec, options, warn }: Cluster): PodSecurityContext {
  const { windowsOptions, ...own } = spec.pod?.securityContext ?? {};
  if (windowsOptions)
    warn('spec.pod.securityContext.windowsOptions', 'is left out: Flux does not run on Windows');
  const { user } = options;
  // A MiniCluster that sets a user, or root, gets it.
  const named = own.runAsUser !== undefined || own.runAsNonRoot === false;
  return {
    ...(user !== 'image' && !named && { runAsUser: user.uid, runAsGroup: own.runAsGroup ?? user.gid }),
    ...(user !== 'image' && (own.runAsUser ?? user.uid) !== 0 && { runAsNonRoot: true }),
    // The Secret of the certificate is readable by its group: this is how a user that is not root gets it.
    fsGroup: user === 'image' ? fallbackGroup : user.gid,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
    ...own,
  };
}

const fallbackGroup = 1000;

/** The same for one container. `path` is where its own context stands in the MiniCluster. */
export function containerSecurity(
  { options, warn }: Cluster,
  context: MiniClusterContainer['securityContext'],
  path: string,
): SecurityContext {
  const { windowsOptions, ...own } = context ?? {};
  if (windowsOptions) warn(`${path}.windowsOptions`, 'is left out: Flux does not run on Windows');
  const { capabilities, privileged } = own;
  // As the Operator does it: an image that starts as root, such as nginx, needs the capabilities that the runtime gives it.
  if (options.user === 'image') return own;
  // The API server refuses `allowPrivilegeEscalation: false` with either.
  const escalates = privileged || capabilities?.add?.some((name) => /^(CAP_)?SYS_ADMIN$/.test(name));
  return {
    ...(!escalates && { allowPrivilegeEscalation: false }),
    // Privileged means root on the host: as another user it would be for nothing.
    ...(privileged && own.runAsUser === undefined && { runAsUser: 0, runAsNonRoot: false }),
    ...(own.runAsUser === 0 && { runAsNonRoot: false }),
    ...own,
    ...(!privileged && {
      capabilities: {
        drop: capabilities?.drop ?? ['ALL'],
        ...(capabilities?.add && { add: capabilities.add }),
      },
    }),
  };
}
