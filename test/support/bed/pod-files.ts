import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Names and addresses of a pod, as Kubernetes gives them. */
export interface PodIdentity {
  /** CLUSTER-INDEX. */
  name: string;
  index: number;
  address: string;
  namespace: string;
  /** The headless Service (the pod's `subdomain`), if it has one. */
  service: string | undefined;
  /** The cluster domain. */
  domain: string;
  /** Whether the kernel's hostname is the FQDN (`setHostnameAsFQDN`). */
  hostnameAsFqdn: boolean;
  /** The nameserver's address. */
  nameserver: string;
}

/** A file that is there before the pod's command starts; mode 0644 unless given. */
export interface PodFile {
  content: string;
  mode?: number;
}

/** The name in DNS: POD.SERVICE.NAMESPACE.svc.DOMAIN, or undefined without a Service. */
export function fqdnOf({ name, service, namespace, domain }: PodIdentity): string | undefined {
  return service === undefined ? undefined : `${name}.${service}.${namespace}.svc.${domain}`;
}

/** What gethostname(2) says in the pod. */
export function hostnameOf(pod: PodIdentity): string {
  return pod.hostnameAsFqdn ? (fqdnOf(pod) ?? pod.name) : pod.name;
}

/** /etc/hosts as the kubelet writes it (kubernetes `pkg/kubelet/kubelet_pods.go`, managedHostsFileContent). */
export function hostsFile(pod: PodIdentity): string {
  const fqdn = fqdnOf(pod);
  const fixed = [
    ['127.0.0.1', 'localhost'],
    ['::1', 'localhost ip6-localhost ip6-loopback'],
    ['fe00::0', 'ip6-localnet'],
    ['fe00::0', 'ip6-mcastprefix'],
    ['fe00::1', 'ip6-allnodes'],
    ['fe00::2', 'ip6-allrouters'],
  ];
  const own = fqdn === undefined ? [pod.address, pod.name] : [pod.address, fqdn, pod.name];
  const lines = [...fixed, own].map((fields) => fields.join('\t'));
  return ['# Kubernetes-managed hosts file.', ...lines, ''].join('\n');
}

/** /etc/resolv.conf for dnsPolicy ClusterFirst. */
export function resolvConf({ namespace, domain, nameserver }: PodIdentity): string {
  const search = `search ${namespace}.svc.${domain} svc.${domain} ${domain}`;
  return `${search}\nnameserver ${nameserver}\noptions ndots:5\n`;
}

/** What the container runtime and the kubelet put into the environment of an Indexed Job's container. */
export function environmentOf(pod: PodIdentity): Record<string, string> {
  const api = pod.address.includes(':') ? 'fd88:ffff::1' : '10.96.0.1';
  const url = `tcp://${api.includes(':') ? `[${api}]` : api}:443`;
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOSTNAME: hostnameOf(pod),
    // Not the host's home: with a socket for its stdin bash would run the .bashrc of the user that runs the tests.
    HOME: '/tmp',
    JOB_COMPLETION_INDEX: String(pod.index),
    KUBERNETES_SERVICE_HOST: api,
    KUBERNETES_SERVICE_PORT: '443',
    KUBERNETES_SERVICE_PORT_HTTPS: '443',
    KUBERNETES_PORT: url,
    KUBERNETES_PORT_443_TCP: url,
    KUBERNETES_PORT_443_TCP_ADDR: api,
    KUBERNETES_PORT_443_TCP_PORT: '443',
    KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
  };
}

/**
 * Writes what will be the pod's /etc (over the host's), /run, /tmp, /mnt and /flux_operator below `directory`.
 * Throws a RangeError for a file elsewhere.
 */
export function writePodFiles(directory: string, pod: PodIdentity, files: Record<string, PodFile>): void {
  const all: Record<string, PodFile> = {
    '/etc/hosts': { content: hostsFile(pod) },
    '/etc/resolv.conf': { content: resolvConf(pod) },
    '/etc/hostname': { content: `${hostnameOf(pod)}\n` },
    // An image's; the host's may ask its systemd-resolved or avahi.
    '/etc/nsswitch.conf': { content: 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' },
    ...files,
  };
  for (const place of ['etc/flux-pod', 'run', 'tmp']) mkdirSync(join(directory, place), { recursive: true });
  chmodSync(join(directory, 'tmp'), 0o1777);
  for (const [path, { content, mode = 0o644 }] of Object.entries(all)) {
    if (!/^\/(etc|run|tmp|mnt|flux_operator)\/./.test(normalize(path))) {
      throw new RangeError(
        `Cannot put "${path}" into a pod: only /etc, /run, /tmp, /mnt and /flux_operator are its own`,
      );
    }
    const target = join(directory, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
  }
}
