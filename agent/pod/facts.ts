import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { errnoOf } from '../errors.ts';
import { type OperatorLayout, readOperatorLayout } from './operator-layout.ts';

/** An address of this pod and the network interface that holds it. */
export interface InterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly family: 4 | 6;
  readonly loopback: boolean;
}

/** What the kubelet and the Job controller have put into this pod, as text. A file that does not exist is empty text. */
export interface PodFacts {
  /** gethostname(2): `mc-0`, or the FQDN under `setHostnameAsFQDN`. */
  readonly hostname: string;
  /** `JOB_COMPLETION_INDEX`, which the Job controller sets in Indexed Jobs. */
  readonly completionIndex: string | undefined;
  /** `FLUX_URI`: the broker that `flux` connects to in this environment. */
  readonly fluxUri: string | undefined;
  readonly etcHosts: string;
  readonly resolvConf: string;
  /** The namespace file of the service account. */
  readonly namespaceFile: string;
  readonly interfaces: readonly InterfaceAddress[];
  /** The Flux Operator's files, in a pod of its own. */
  readonly operator: OperatorLayout | undefined;
}

const namespacePath = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

export function readPodFacts(environment: NodeJS.ProcessEnv): PodFacts {
  return {
    hostname: hostname(),
    completionIndex: environment.JOB_COMPLETION_INDEX,
    fluxUri: environment.FLUX_URI,
    etcHosts: textOf('/etc/hosts'),
    resolvConf: textOf('/etc/resolv.conf'),
    namespaceFile: textOf(namespacePath),
    interfaces: listInterfaces(),
    operator: readOperatorLayout(),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return '';
    throw error;
  }
}

function listInterfaces(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      // A link-local IPv6 address means nothing without its link.
      .filter(({ address }) => !/^fe[89ab]/i.test(address))
      .map(({ address, family, internal }) => ({
        interface: name,
        address,
        family: family === 'IPv6' ? (6 as const) : (4 as const),
        loopback: internal,
      })),
  );
}
