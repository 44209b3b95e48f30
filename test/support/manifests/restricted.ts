import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';

/**
 * The rules of the `restricted` Pod Security Standard, one after the other in the order of
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/, read anew from there and not from the code that is tested.
 * Returns the rules that the pod breaks.
 */
export function brokenRestrictedRules(pod: PodSpec): string[] {
  const context = pod.securityContext ?? {};
  const containers = [...pod.containers, ...(pod.initContainers ?? [])];
  const each = (holds: (container: (typeof containers)[number]) => boolean) => containers.every(holds);
  const plain = [
    'configMap',
    'csi',
    'downwardAPI',
    'emptyDir',
    'ephemeral',
    'persistentVolumeClaim',
    'projected',
    'secret',
  ];
  const rules: Record<string, boolean> = {
    'Host Namespaces': !pod.hostNetwork && !pod.hostPID && !pod.hostIPC,
    'Privileged Containers': each((c) => !c.securityContext?.privileged),
    'Host Ports': each((c) => (c.ports ?? []).every(({ hostPort }) => !hostPort)),
    '/proc Mount Type': each((c) => [undefined, 'Default'].includes(c.securityContext?.procMount)),
    SELinux: [context, ...containers.map((c) => c.securityContext)].every(
      (own) =>
        !own?.seLinuxOptions?.user &&
        !own?.seLinuxOptions?.role &&
        [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t'].includes(
          own?.seLinuxOptions?.type,
        ),
    ),
    Sysctls: (context.sysctls ?? []).every(({ name }) => name === 'net.ipv4.ip_local_port_range'),
    'Volume Types': (pod.volumes ?? []).every((volume) =>
      Object.keys(volume).every((key) => key === 'name' || plain.includes(key)),
    ),
    'Privilege Escalation': each((c) => c.securityContext?.allowPrivilegeEscalation === false),
    'Running as Non-root': each((c) => (c.securityContext?.runAsNonRoot ?? context.runAsNonRoot) === true),
    'Running as Non-root user': context.runAsUser !== 0 && each((c) => c.securityContext?.runAsUser !== 0),
    Seccomp: each((c) =>
      ['RuntimeDefault', 'Localhost'].includes(
        (c.securityContext?.seccompProfile ?? context.seccompProfile)?.type ?? '',
      ),
    ),
    Capabilities: each(
      (c) =>
        c.securityContext?.capabilities?.drop?.includes('ALL') === true &&
        (c.securityContext.capabilities.add ?? []).every((name) => name === 'NET_BIND_SERVICE'),
    ),
  };
  return Object.keys(rules).filter((rule) => !rules[rule]);
}
