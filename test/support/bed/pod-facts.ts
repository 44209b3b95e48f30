import type { InterfaceAddress, PodFacts } from '../../../agent/pod/facts.ts';
import { hostnameOf, hostsFile, type PodIdentity, resolvConf } from './pod-files.ts';

const typicalPod: PodIdentity = {
  name: 'mc-1',
  index: 1,
  address: '10.244.0.5',
  namespace: 'default',
  service: 'flux-service',
  domain: 'cluster.local',
  hostnameAsFqdn: false,
  nameserver: '10.96.0.10',
};

export const loopback: InterfaceAddress = {
  interface: 'lo',
  address: '127.0.0.1',
  family: 4,
  loopback: true,
};

/** An address that a network interface of the pod holds. */
export const held = (name: string, address: string): InterfaceAddress => ({
  interface: name,
  address,
  family: address.includes(':') ? 6 : 4,
  loopback: false,
});

/** Facts of a pod without a kubelet and a Job controller. */
export const untold: Partial<PodFacts> = {
  hostname: 'worker',
  completionIndex: undefined,
  etcHosts: '',
  resolvConf: '',
  namespaceFile: '',
  interfaces: [],
};

/**
 * What a pod of an Indexed Job tells: mc-1 of flux-service in default, with loopback and eth0, unless `pod` names it
 * otherwise. `facts` then replaces what the kubelet wrote.
 */
export function podFacts(pod: Partial<PodIdentity> = {}, facts: Partial<PodFacts> = {}): PodFacts {
  const identity = { ...typicalPod, ...pod };
  return {
    hostname: hostnameOf(identity),
    completionIndex: String(identity.index),
    fluxUri: undefined,
    etcHosts: hostsFile(identity),
    resolvConf: resolvConf(identity),
    namespaceFile: identity.namespace,
    interfaces: [loopback, held('eth0', identity.address)],
    operator: undefined,
    ...facts,
  };
}
