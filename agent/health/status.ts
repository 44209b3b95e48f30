/** `/status`: the state of the pod as JSON, without secrets. */

import { type Instant, instant } from '../clock.ts';
import { formatHostlist } from '../cluster/hostlist.ts';
import type { Configuration } from '../config/configuration.ts';
import { firstLabel, parsePodHostname } from '../pod/identity.ts';
import { answers, parentSilentSince, stateOf } from './broker-status.ts';
import { type PodState, phaseOf } from './pod-state.ts';
import { probeResult, probes } from './probes.ts';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

export function statusOf(podState: PodState, now: Instant = instant()) {
  const { configuration, attachment, membership, broker, waitReason, parentAddress } = podState;
  const { demand, stoppedBy, held, lastError, warnings } = podState;
  const phase = phaseOf(podState);
  const state = stateOf(broker);
  return {
    pod: {
      name: podName(configuration, attachment !== undefined),
      // `flux-pod attach` may run in any pod.
      ...((!attachment || parsePodHostname(configuration.hostname)) && {
        cluster: configuration.cluster,
        index: configuration.index,
      }),
      address: configuration.address,
      hostname: configuration.hostname,
      startedAt: iso(podState.startedAt),
    },
    phase: { name: phase.phase, since: iso(phase.since) },
    phases: podState.phases.map(({ phase: name, since }) => ({ name, since: iso(since) })),
    probes: Object.fromEntries(probes.map((probe) => [probe, probeResult(probe, podState, now)])),
    ...(attachment && {
      attachment: {
        sockets: attachment.sockets,
        ...(attachment.socket && { socket: attachment.socket }),
        ...(phase.phase === 'await-broker' && { obstacle: attachment.waitReason }),
      },
    }),
    ...(membership && {
      instance: {
        rank: membership.rank,
        size: membership.size,
        quorum: configuration.minSize,
        topology: configuration.topo,
        hosts: membership.hostlist,
        children: membership.tree.childrenOf(membership.rank).length,
      },
    }),
    ...(membership?.parent && {
      parent: {
        rank: membership.parent.rank,
        host: membership.parent.host,
        name: membership.parent.target.host,
        ...(parentAddress && { address: `${parentAddress.host}:${parentAddress.port}` }),
        lost: parentSilentSince(broker, now) !== undefined,
      },
    }),
    ...(waitReason && phase.phase === 'await-parent' && { waiting: waitReason }),
    ...(broker && {
      broker: {
        pid: broker.pid,
        flux: podState.flux,
        startedAt: iso(broker.startedAt),
        restarts: podState.brokersStarted - 1,
        state: state ?? 'starting',
        states: broker.states.map(({ state: name, since }) => ({ name, since: iso(since) })),
        answers: answers(broker),
        ...(broker.overlay && { overlay: broker.overlay }),
        ...(broker.online && { online: broker.online.length }),
      },
    }),
    ...(demand && { demand }),
    ...(stoppedBy && { stoppedBy }),
    ...(held && { held: true }),
    ...(lastError && { lastError: { at: iso(lastError.at), what: lastError.what } }),
    remarks: warnings.map(({ at, what }) => ({ at: iso(at), what })),
  };
}

const podName = ({ cluster, index, hostname }: Configuration, attached: boolean): string =>
  attached ? firstLabel(hostname) : `${cluster}-${index}`;

export type Status = ReturnType<typeof statusOf>;

/** Hosts of ranks, folded: `mc-[0-3,7]`. */
export const hostsOf = (ranks: readonly number[], hostOf: (rank: number) => string): string =>
  formatHostlist(ranks.map(hostOf));
