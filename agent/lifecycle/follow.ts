import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ending } from '../broker/process.ts';
import type { HostPort } from '../config/kinds.ts';
import type { Configuration } from '../config/resolve.ts';
import type { AwaitOptions, Found } from '../dns/await-parent.ts';
import { ExitCode, PodError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Parent } from '../pod/membership.ts';
import { followerOutcome, type Outcome } from './outcome.ts';
import type { Lifecycle } from './phase.ts';
import type { PreparedPod } from './prepare.ts';
import type { Signals } from './signals.ts';

export interface Following {
  readonly configuration: Configuration;
  readonly pod: PreparedPod;
  /** Starts the broker and waits for its end. */
  readonly start: () => Promise<Ending>;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** A broker that lived this long had joined: its end is a new story, and the pauses start small again. */
const settledMs = 10_000;

/**
 * A follower's life: await the parent, start the broker with the parent's verified address, and when the broker ends because
 * its parent went, await it again. Ends with the instance or a signal.
 */
export async function followParent(following: Following): Promise<Outcome> {
  const { pod, start, signals, lifecycle, log } = following;
  const { parent } = pod.membership;
  if (!parent) throw new Error('rank 0 follows nobody');
  const [{ awaitParent }, { pauseMs }] = await Promise.all([
    import('../dns/await-parent.ts'),
    import('../dns/pace.ts'),
  ]);
  const endpointSlices = slicesReader(following.pod.environment);
  for (let attempt = 0; ; attempt++) {
    lifecycle.enter('await-parent', { parent: parent.target.host, port: parent.target.port });
    await log.open();
    const { host, port, ...cost } = await awaitInTime(following, parent, awaitParent, endpointSlices);
    log('info', `The parent ${parent.host} listens at ${host}:${port}`, cost);
    pod.writeBrokerToml({ host, port });
    const startedAt = Date.now();
    const ending = await start();
    const outcome = followerOutcome(ending, signals.stoppedBy());
    if (outcome) return outcome;
    if (Date.now() - startedAt > settledMs) attempt = 0;
    log('warn', 'The broker ended before the instance: its parent went, or it could not join', {
      code: ending.code,
    });
    await delay(pauseMs(attempt, pod.membership.size), undefined, { signal: signals.stop }).catch(() =>
      signals.stop.throwIfAborted(),
    );
  }
}

async function awaitInTime(
  { configuration, signals, log, pod }: Following,
  parent: Parent,
  awaitParent: typeof import('../dns/await-parent.ts').awaitParent,
  endpointSlices: AwaitOptions['endpointSlices'],
): Promise<Found> {
  const { peerTimeout, address } = configuration;
  const timeout = deadline(peerTimeout);
  const { createObstacleLog, describeObstacle } = await import('../dns/obstacle.ts');
  const obstacles = createObstacleLog(parent.target.host, log);
  try {
    return await awaitParent(parent.target, {
      nameservers: configuration.nameservers ?? systemNameservers(await import('../dns/resolv-conf.ts')),
      family: address.includes(':') ? 6 : 4,
      size: pod.membership.size,
      rank: pod.membership.rank,
      signal: AbortSignal.any([signals.stop, timeout]),
      onObstacle: obstacles.met,
      endpointSlices,
    });
  } catch (error) {
    if (!timeout.aborted || signals.stop.aborted) throw error;
    const last = obstacles.last();
    const seen = last ? describeObstacle(last) : 'nothing was seen';
    throw new PodError(
      ExitCode.peersUnavailable,
      `The parent ${parent.target.host} could not be reached within ${peerTimeout} s (${seen})`,
      {
        hint: 'Is the leader running, does the headless Service select the pods, and does it publishNotReadyAddresses?',
      },
    );
  }
}

/** Timers count milliseconds in 31 bits; longer than that is for ever. */
function deadline(seconds: number | undefined): AbortSignal {
  const milliseconds = (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  return milliseconds < 2 ** 31 ? AbortSignal.timeout(Math.ceil(milliseconds)) : new AbortController().signal;
}

function systemNameservers({ parseResolvConf }: typeof import('../dns/resolv-conf.ts')): HostPort[] {
  const { nameservers } = parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8'));
  // resolv.conf(5): without a nameserver line it is the one on this machine.
  return (nameservers.length > 0 ? nameservers : ['127.0.0.1']).map((host) => ({ host, port: 53 }));
}

/** Where the kubelet mounts what a pod's service account may show to the API server. */
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Asks the API server for a pod's addresses, where there is a service account to ask with. Loaded only when it is used. */
function slicesReader(environment: NodeJS.ProcessEnv): AwaitOptions['endpointSlices'] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !existsSync(`${serviceAccount}/token`)) return undefined;
  let barred = false;
  return async (pod, signal) => {
    if (barred) return undefined;
    const { readEndpointSlices } = await import('../dns/endpoint-slices.ts');
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
