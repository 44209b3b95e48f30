/** Finds the address at which this pod's parent listens, within FLUX_POD_PEER_TIMEOUT. */

import { existsSync } from 'node:fs';
import { isIPv6 } from '../../address.ts';
import type { Membership, Parent } from '../../broker/membership.ts';
import { longestTimerMs } from '../../clock.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { AwaitOptions, Found } from '../../dns/await-parent.ts';
import type { KeyMemory } from '../../dns/wait/cache-keys.ts';
import type { WaitReason } from '../../dns/wait/wait-reason.ts';
import { ExitCode, PodError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { systemNameservers } from '../../pod/resolv-conf.ts';

export interface Search {
  readonly parent: Parent;
  readonly membership: Membership;
  readonly configuration: Pick<Configuration, 'peerTimeout' | 'address' | 'nameservers'>;
  /** Called with why the search goes on, and with undefined when it has ended. */
  readonly onWait: (reason: WaitReason | undefined) => void;
  readonly environment: NodeJS.ProcessEnv;
  /** The parent's addresses before it was lost. */
  readonly known?: readonly string[] | undefined;
  /** Addresses of foreign instances. */
  readonly foreign?: readonly string[] | undefined;
  readonly keyMemory: KeyMemory;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/**
 * Resolves to the address and port that took a connection. Throws a PodError (exit 69) when the time is up, and the signal's reason
 * when it came first.
 */
export async function findParent(search: Search): Promise<Found> {
  const { parent, membership, configuration, environment, known, foreign, keyMemory } = search;
  const { onWait, signal, log } = search;
  const { peerTimeout, address, nameservers } = configuration;
  const [{ awaitParent }, { createReasonLog, describeReason }] = await Promise.all([
    import('../../dns/await-parent.ts'),
    import('../../dns/wait/wait-reason.ts'),
  ]);
  const timeout = deadline(peerTimeout);
  const reasons = createReasonLog(parent.target.host, log);
  try {
    return await awaitParent(parent.target, {
      nameservers: nameservers ?? systemNameservers(),
      family: isIPv6(address) ? 6 : 4,
      size: membership.size,
      rank: membership.rank,
      known,
      foreign,
      keyMemory,
      signal: AbortSignal.any([signal, timeout]),
      onReason: (reason) => {
        onWait(reason);
        reasons.record(reason);
      },
      endpointSlices: slicesReader(environment),
    });
  } catch (error) {
    if (!timeout.aborted || signal.aborted) throw error;
    const last = reasons.last();
    const seen = last ? describeReason(last) : 'nothing was seen';
    throw new PodError(
      ExitCode.peersUnavailable,
      `The parent ${parent.target.host} could not be reached within ${peerTimeout} s (${seen})`,
      {
        hint: 'Is the leader running, does the headless Service select the pods, and does it publishNotReadyAddresses?',
      },
    );
  } finally {
    onWait(undefined);
  }
}

/** Never, where it is longer than a timer can count. */
function deadline(seconds: number | undefined): AbortSignal {
  const milliseconds = (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  return milliseconds <= longestTimerMs
    ? AbortSignal.timeout(Math.ceil(milliseconds))
    : new AbortController().signal;
}

/** Where the kubelet mounts the credentials of a pod's service account. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Reads a pod's addresses from the API server, where the pod has a service account. Loaded only when it is used. */
function slicesReader(environment: NodeJS.ProcessEnv): AwaitOptions['endpointSlices'] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !existsSync(`${serviceAccount}/token`)) return undefined;
  let barred = false;
  return async (pod, signal) => {
    if (barred) return undefined;
    const { readEndpointSlices } = await import('../../dns/endpoint-slices.ts');
    const addresses = await readEndpointSlices(
      pod,
      { host, port: Number(port ?? 443) },
      serviceAccount,
      signal,
    );
    barred = addresses === undefined;
    return addresses;
  };
}
