import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';

/** A rule of Pod Security that a pod breaks: the field of the pod, and its value. */
export interface Breach {
  readonly field: string;
  readonly value: string;
}

/** Kinds of volume that the restricted standard admits. */
const admittedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const safeSysctls = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const admittedSeLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

/**
 * Where a pod breaks the `restricted` Pod Security Standard, so that a namespace which enforces it would not admit the pod.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
export function restrictedBreaches(pod: PodSpec): Breach[] {
  const breaches: Breach[] = [];
  const breach = (field: string, value: unknown) =>
    breaches.push({ field, value: value === undefined ? 'not set' : String(value) });
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) if (pod[field]) breach(field, true);
  for (const volume of pod.volumes ?? []) {
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'nothing';
    if (!admittedVolumes.includes(kind)) breach(`volumes["${volume.name}"]`, kind);
  }
  for (const { name } of pod.securityContext?.sysctls ?? []) {
    if (!safeSysctls.includes(name)) breach('securityContext.sysctls', name);
  }
  if (pod.securityContext?.runAsUser === 0) breach('securityContext.runAsUser', 0);
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    for (const { field, value } of containerBreaches(container, pod))
      breach(`container ${container.name}: ${field}`, value);
  }
  return breaches;
}

function containerBreaches(
  { securityContext: own = {} }: Container,
  { securityContext: shared = {} }: PodSpec,
) {
  const found: { field: string; value: unknown }[] = [];
  const require = (holds: boolean, field: string, value: unknown) => {
    if (!holds) found.push({ field, value });
  };
  require(!own.privileged, 'privileged', own.privileged);
  require(own.allowPrivilegeEscalation === false, 'allowPrivilegeEscalation', own.allowPrivilegeEscalation);
  const { add = [], drop = [] } = own.capabilities ?? {};
  require(drop.includes('ALL'), 'capabilities.drop', drop.join(' ') || undefined);
  const added = add.filter((name) => name !== 'NET_BIND_SERVICE');
  require(added.length === 0, 'capabilities.add', added.join(' '));
  const nonRoot = own.runAsNonRoot ?? shared.runAsNonRoot;
  require(nonRoot === true, 'runAsNonRoot', nonRoot);
  require(own.runAsUser !== 0, 'runAsUser', own.runAsUser);
  const seccomp = (own.seccompProfile ?? shared.seccompProfile)?.type;
  require(seccomp === 'RuntimeDefault' || seccomp === 'Localhost', 'seccompProfile', seccomp);
  require((own.procMount ?? 'Default') === 'Default', 'procMount', own.procMount);
  const seLinux = own.seLinuxOptions ?? shared.seLinuxOptions ?? {};
  const seLinuxFree = admittedSeLinuxTypes.includes(seLinux.type ?? '') && !seLinux.user && !seLinux.role;
  require(seLinuxFree, 'seLinuxOptions', seLinux.type ?? seLinux.user ?? seLinux.role);
  return found;
}
