import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ending } from '../broker/process.ts';
import type { HostPort } from '../config/kinds.ts';
import type { Configuration } from '../config/resolve.ts';
import { ExitCode, PodError } from '../errors.ts';
import type { Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import type { Parent } from '../pod/membership.ts';
import type { Lifecycle } from '../pod/phase.ts';
import { followerOutcome, type Outcome } from './outcome.ts';
import type { PreparedPod } from './prepare.ts';
import type { Reporting } from './reporting.ts';
import type { Signals } from './signals.ts';

export interface Following {
  readonly configuration: Configuration;
  readonly pod: PreparedPod;
  /** Starts the broker and waits for its end. */
  readonly start: () => Promise<Ending>;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly observations: Observations;
  readonly reporting: Reporting;
  readonly log: Log;
}

/** A broker that lived this long had joined: its end is a new story, and the pauses start small again. */
const settledMs = 10_000;

/**
 * A follower's life: await the parent, start the broker with the parent's verified address, and when the broker ends because
 * its parent went, await it again. Ends with the instance or a signal.
 */
export async function followParent(following: Following): Promise<Outcome> {
  const { pod, start, signals, lifecycle, observations, reporting, log } = following;
  const { parent } = pod.membership;
  if (!parent) throw new Error('rank 0 follows nobody');
  const { awaitParent, pauseMs } = await import('../dns/await-parent.ts');
  for (let attempt = 0; ; attempt++) {
    lifecycle.enter('await-parent', { parent: parent.target.host, port: parent.target.port });
    await log.open();
    void reporting.serve(pod.directory.agentSocket);
    const address = await awaitInTime(following, parent, awaitParent);
    log('info', `The parent ${parent.host} listens at ${address.host}:${address.port}`);
    observations.parentAddress = address;
    observations.obstacle = undefined;
    pod.writeBrokerToml(address);
    const startedAt = Date.now();
    const ending = await start();
    const outcome = followerOutcome(ending, signals.stoppedBy());
    if (outcome) return outcome;
    if (Date.now() - startedAt > settledMs) attempt = 0;
    log('warn', 'The broker ended before the instance: its parent went, or it could not join', {
      code: ending.code,
    });
    await delay(pauseMs(attempt), undefined, { signal: signals.stop }).catch(() =>
      signals.stop.throwIfAborted(),
    );
  }
}

async function awaitInTime(
  { configuration, signals, observations, log }: Following,
  parent: Parent,
  awaitParent: typeof import('../dns/await-parent.ts').awaitParent,
): Promise<HostPort> {
  const { peerTimeout, address } = configuration;
  const timeout = deadline(peerTimeout);
  let last = 'nothing';
  try {
    return await awaitParent(parent.target, {
      nameservers: configuration.nameservers ?? systemNameservers(await import('../dns/resolv-conf.ts')),
      family: address.includes(':') ? 6 : 4,
      signal: AbortSignal.any([signals.stop, timeout]),
      onObstacle: (obstacle) => {
        observations.obstacle = obstacle;
        last = `waiting for its ${obstacle.waitingFor}: ${obstacle.seen}`;
        log('info', `Waiting for the parent's ${obstacle.waitingFor}`, {
          parent: parent.target.host,
          ...obstacle,
        });
      },
    });
  } catch (error) {
    if (!timeout.aborted || signals.stop.aborted) throw error;
    throw new PodError(
      ExitCode.peersUnavailable,
      `The parent ${parent.target.host} could not be reached within ${peerTimeout} s (${last})`,
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
